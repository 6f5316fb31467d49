"""The encoder–decoder whose only connection is a vector of fixed size: the encoder's final state.

B batch, S source length, T target length, L layers, D width, E input width, V target vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor, nn

from seqlab.checks import check_sizes
from seqlab.layers.embedding import output_layer, token_input
from seqlab.layers.recurrent import Hidden, Recurrent, reversed_rows
from seqlab.layers.state import State
from seqlab.models.base import Seq2Seq


@dataclass(frozen=True)
class FixedVectorState(State):
    """The decoder's h (and c for an LSTM), each (B, L, D)."""

    hidden: Hidden


class FixedVector(Seq2Seq):
    """Sequence to sequence learning with neural networks (Sutskever et al. 2014, arXiv 1409.3215, section 2).

    v = h_S, where h_t = f(x_t, h_{t−1});  s_0 = v, s_t = g(y_{t−1}, s_{t−1});  p(y_t | y_{<t}, x) = softmax(W s_t + b)

    With GRU cells (Cho et al. 2014, arXiv 1406.1078) and small sizes it is the minimal encoder–decoder; with LSTM
    cells, one-hot inputs and a character tokenizer it is the model of the Keras character-level example. Expect it to
    do well on short sequences and to forget on long ones, because everything must pass through v.

    Args:
        width: width of the state.
        embedding: width of the token vectors; None for one-hot inputs.
        layers: recurrent layers on each side; layer l of the encoder initialises layer l of the decoder.
        cell: "lstm" or "gru".
        reverse_source: read the source from end to beginning, so that its first words, which the decoder needs first,
            are read last (section 3.3).
        dropout: on inputs, between layers and before the output layer.
        tied: share the output layer's weight with the target embedding, which must be as wide as the state.

    Raises:
        ValueError: an unknown cell, a size below 1, or `tied` with different widths.
    """

    def __init__(
        self,
        source_size: int,
        target_size: int,
        width: int = 256,
        embedding: int | None = 128,
        layers: int = 1,
        cell: str = "lstm",
        reverse_source: bool = False,
        dropout: float = 0.0,
        tied: bool = False,
    ) -> None:
        super().__init__(source_size, target_size)
        check_sizes(width=width, embedding=embedding, layers=layers)
        self.reverse_source = reverse_source
        self.source_input = token_input(source_size, embedding, dropout)
        self.target_input = token_input(target_size, embedding, dropout)
        self.encoder = Recurrent(cell, self.source_input.width, width, layers, dropout)
        self.decoder = Recurrent(cell, self.target_input.width, width, layers, dropout)
        self.dropout = nn.Dropout(dropout)
        self.output = output_layer(width, target_size, self.target_input if tied else None)

    def encode(self, source: Int[Tensor, "B S"], source_lengths: Int[Tensor, " B"]) -> FixedVectorState:
        if self.reverse_source:
            source = reversed_rows(source, source_lengths)
        _, hidden = self.encoder(self.source_input(source), lengths=source_lengths)
        return FixedVectorState(hidden)

    def decode(  # type: ignore[override]  # a decoder takes only the state of its encoder
        self, tokens: Int[Tensor, "B T"], state: FixedVectorState
    ) -> tuple[Float[Tensor, "*P V"], FixedVectorState]:
        outputs, hidden = self.decoder(self.target_input(tokens), state.hidden, packing=state.packing)
        return self.output(self.dropout(state.packing.pack(outputs))), FixedVectorState(hidden)
