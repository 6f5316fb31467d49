"""Architectures: one per file, each a LightningModule with two methods, `encode` and `decode`."""
