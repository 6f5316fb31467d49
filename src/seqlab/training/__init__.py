"""A training run: data, model and trainer from settings, callbacks, checkpoints, results."""
