"""The encoder–decoder with additive attention over the encoder's states at every step.

B batch, S source length, T target length, D width, M memory width (2 D if bidirectional), E input width,
A attention width, U layers of the decoder above its lowest, GD width of all gates, V target vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from seqlab.checks import check_sizes
from seqlab.layers.attention import AdditiveAttention, padding_mask
from seqlab.layers.embedding import output_layer, token_input
from seqlab.layers.recurrent import Bridge, Hidden, Recurrent, make_cell
from seqlab.layers.state import Sources, State
from seqlab.models.base import Seq2Seq
from seqlab.special_tokens import BOS


class Maxout(nn.Module):
    """Deep output with maxout (Bahdanau et al. 2015, appendix A.2.2): the larger of each pair of W x + b."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.pairs = nn.Linear(inputs, 2 * width)

    def forward(self, inputs: Float[Tensor, "*P I"]) -> Float[Tensor, "*P W"]:
        """The larger of each pair."""
        return self.pairs(inputs).unflatten(-1, (-1, 2)).amax(dim=-1)


@dataclass(frozen=True)
class BahdanauState(State):
    """The decoder's state of its lowest layer (B, D) and of those above (B, U, D), the last context, and the encoder's
    side: as keys its projected outputs, (B, S, A), and as values the outputs, (B, S, M).
    """

    hidden: Hidden
    upper: Hidden | None
    context: Float[Tensor, "B M"]
    sources: Sources


class Bahdanau(Seq2Seq):
    """Neural machine translation by jointly learning to align and translate (Bahdanau et al. 2015, arXiv 1409.0473).

    h_1 … h_S: states of the encoder, which reads the source in both directions, h_j = [→h_j; ←h_j], or only forward.
    s_0 = tanh(W_s ←h_1) (only forward: h_S), or without `bridge` that state itself. A step has one of two orders:

    - "before", the paper's (section 3.1): c_t = attend(s_{t−1}; h);  s_t = f([y_{t−1}; c_t], s_{t−1});
      p(y_t) = softmax(W maxout(s_t, y_{t−1}, c_t)), with s_t as in section 3.1 (appendix A.2.2 writes s_{t−1}).
    - "after", which feeds the context to the next step: s_t = f(P [c_{t−1}; y_{t−1}], s_{t−1});
      c_t = attend(s_t; h);  p(y_t) = softmax(W s_t), with c_0 and the vector of BOS zero.

    With several layers, h are the states of the encoder's top layer, and layer l of the encoder initialises layer l of
    the decoder. s is the state of the decoder's lowest layer, which attends (as in Wu et al. 2016, arXiv 1609.08144,
    section 3, who give c_t to the other layers, too); only in p(y_t) it is that of the top layer, with
    s^l_t = f(s^{l−1}_t, s^l_{t−1}). So the lowest layer never waits for those above it.

    Expect it to do well on long sequences, where a fixed vector forgets. The paper's cell is "gru".

    Args:
        width: width of the states.
        embedding: width of the token vectors; None for one-hot inputs.
        layers: recurrent layers on each side; the lowest of the decoder attends.
        attention: width of the layer that computes scores; None means `width`.
        cell: "lstm" or "gru".
        order: order of a step, see above.
        bidirectional: read the source in both directions.
        bridge: whether there is a W_s, one for each layer and a separate one for an LSTM's c.
        dropout: on embeddings, between layers and before the output layer.
        tied: share the output layer's weight with the target embedding, which must be as wide as the state.

    Raises:
        ValueError: an unknown cell or order, a size below 1, or `tied` with different widths.
    """

    def __init__(
        self,
        source_size: int,
        target_size: int,
        width: int = 256,
        embedding: int | None = 128,
        layers: int = 1,
        attention: int | None = None,
        cell: str = "lstm",
        order: str = "before",
        bidirectional: bool = True,
        bridge: bool = True,
        dropout: float = 0.0,
        tied: bool = False,
    ) -> None:
        super().__init__(source_size, target_size)
        if order not in ("before", "after"):
            raise ValueError(f"order must be before or after, but is {order!r}")
        check_sizes(width=width, embedding=embedding, layers=layers, attention=attention)
        self.order = order
        self.source_input = token_input(source_size, embedding, dropout)
        self.target_input = token_input(target_size, embedding, dropout)
        self.encoder = Recurrent(cell, self.source_input.width, width, layers, dropout, bidirectional)
        self.bridge = Bridge(cell, width, layers) if bridge else None
        memory, inputs = self.encoder.width, self.target_input.width
        self.attention = AdditiveAttention(width, memory, attention or width)
        self.cell = make_cell(cell, inputs + memory if order == "before" else inputs, width)
        self.upper = Recurrent(cell, width, width, layers - 1, dropout) if layers > 1 else None
        self.projection = None if order == "before" else nn.Linear(inputs + memory, inputs)
        self.deep_output = Maxout(width + inputs + memory, width) if order == "before" else None
        self.dropout = nn.Dropout(dropout)
        self.output = output_layer(width, target_size, self.target_input if tied else None)

    def encode(self, source: Int[Tensor, "B S"], source_lengths: Int[Tensor, " B"]) -> BahdanauState:
        memory, hidden = self.encoder(self.source_input(source), lengths=source_lengths)
        starts = [tuple(h[:, end] for h in hidden) for end in self.encoder.ends]
        lowest, *upper = starts if self.bridge is None else self.bridge(starts)
        return BahdanauState(
            hidden=lowest,
            upper=tuple(torch.stack(h, 1) for h in zip(*upper, strict=True)) or None,
            context=torch.zeros_like(memory[:, 0]),
            sources=Sources((self.attention.keys(memory), memory), padding_mask(source_lengths, source.size(1))),
        )

    def decode(  # type: ignore[override]  # a decoder takes only the state of its encoder
        self, tokens: Int[Tensor, "B T"], state: BahdanauState
    ) -> tuple[Float[Tensor, "*P V"], BahdanauState]:
        embedded = self.target_input(tokens)
        if self.order == "after":
            embedded = embedded * (tokens != BOS)[..., None]
        token_gates, context_weight = self._input_gates(embedded)
        hidden, context = state.hidden, state.context
        outputs, contexts = [], []
        for gates in token_gates.unbind(1):
            if self.order == "before":
                context = state.sources.attend(self.attention, hidden[0])
            hidden = self.cell(gates + F.linear(context, context_weight), hidden)
            if self.order == "after":
                context = state.sources.attend(self.attention, hidden[0])
            outputs.append(hidden[0])
            contexts.append(context)
        uppermost, upper = torch.stack(outputs, 1), state.upper
        if self.upper is not None:
            uppermost, upper = self.upper(self.dropout(uppermost), upper)
        steps = (uppermost, embedded, torch.stack(contexts, 1))
        logits = self._logits(*map(state.packing.pack, steps))
        return logits, replace(state, hidden=hidden, upper=upper, context=context)

    def _input_gates(self, embedded: Float[Tensor, "B T E"]) -> tuple[Float[Tensor, "B T GD"], Float[Tensor, "GD M"]]:
        """The tokens' part of the cell's input gates, for all steps at once, and the weight for the context's part.

        In the order "after", the projection P and the cell's input weight W follow each other with no activation
        between them, so W (P x + p) + b is computed as one product with W P.
        """
        if self.projection is None:
            return self.cell.known_gates(embedded)
        weight, bias = self.cell.inputs.weight, self.cell.inputs.bias
        width = embedded.size(-1)
        context_weight, token_weight = (weight @ self.projection.weight).split(  # P takes [c; y]
            [self.projection.in_features - width, width], dim=1
        )
        return F.linear(embedded, token_weight, F.linear(self.projection.bias, weight, bias)), context_weight

    def _logits(
        self,
        outputs: Float[Tensor, "*P D"],
        embedded: Float[Tensor, "*P E"],
        contexts: Float[Tensor, "*P M"],
    ) -> Float[Tensor, "*P V"]:
        if self.deep_output is not None:
            outputs = self.deep_output(torch.cat([outputs, embedded, contexts], dim=-1))
        return self.output(self.dropout(outputs))
