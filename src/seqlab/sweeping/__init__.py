"""Searching settings: Optuna trials that are pruned while they train, on every core, and never lost. Knows no model."""
