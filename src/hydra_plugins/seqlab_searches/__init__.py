"""Hydra finds the searches that come with seqlab."""
