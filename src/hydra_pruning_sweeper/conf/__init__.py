"""Options of `hydra/sweeper/sampler` and `hydra/sweeper/pruner`, which every Hydra application finds."""
