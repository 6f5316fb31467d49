"""Architectures: one a file, each a LightningModule of two methods, `encode` and `decode`."""
