"""Hydra finds the sizes of seqlab's architectures."""
