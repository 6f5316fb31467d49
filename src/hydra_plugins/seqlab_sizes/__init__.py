"""The sizes of seqlab's architectures."""
