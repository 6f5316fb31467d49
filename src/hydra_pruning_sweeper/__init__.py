"""Hyperparameter search with Hydra and Optuna: trials run in parallel, are pruned while they train, survive kills."""
