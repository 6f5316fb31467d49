"""A training run: building it from a config, callbacks, checkpoints, the bundle."""
