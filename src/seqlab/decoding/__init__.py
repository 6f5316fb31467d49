"""Search over a step function, `step(tokens, state)`: nothing here depends on a model."""

from seqlab.decoding.beam import Beam
from seqlab.decoding.greedy import Greedy
from seqlab.decoding.hypotheses import Hypotheses, Step
from seqlab.decoding.sampling import Sample
from seqlab.decoding.search import Search, Stepwise
from seqlab.decoding.window import Window

__all__ = ["Beam", "Greedy", "Hypotheses", "Sample", "Search", "Step", "Stepwise", "Window"]
