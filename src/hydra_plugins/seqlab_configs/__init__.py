"""Hydra finds seqlab's searches and the sizes of its architectures."""
