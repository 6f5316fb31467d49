"""Datasets as LightningDataModules, and the batches that they are read in."""
