"""Batches, their order, and the LightningDataModules."""
