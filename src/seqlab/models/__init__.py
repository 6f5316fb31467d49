"""Architectures: one per file, each an nn.Module with two methods, `encode` and `decode`."""
