"""Where seqlab's own searches are."""
