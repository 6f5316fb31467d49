"""A Hydra sweeper over Optuna."""
