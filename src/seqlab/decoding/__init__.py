"""Search over `step(tokens, state)`: no model is known here."""

from seqlab.decoding.greedy import greedy
from seqlab.decoding.hypotheses import Hypotheses, Search, Step

__all__ = ["Hypotheses", "Search", "Step", "greedy"]
