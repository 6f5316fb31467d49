"""The encoder–decoder that looks back: additive attention over the encoder's states at every step.

B batch, S source length, T target length, D width, E input width, A attention width, GD gates together,
V target vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from seqlab.checks import check_sizes
from seqlab.layers.attention import AdditiveAttention
from seqlab.layers.embedding import token_input
from seqlab.layers.recurrent import GRUCell, Hidden, LSTMCell, Recurrent, check_cell, padding_mask
from seqlab.layers.state import State
from seqlab.models.base import Seq2Seq
from seqlab.symbols import BOS


class Maxout(nn.Module):
    """Deep output with maxout (Bahdanau et al. 2015, appendix A.2.2): the larger of each pair of W x + b."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.pairs = nn.Linear(inputs, 2 * width)

    def forward(self, inputs: Float[Tensor, "B T I"]) -> Float[Tensor, "B T W"]:
        """The larger of each pair."""
        return self.pairs(inputs).unflatten(-1, (-1, 2)).amax(dim=-1)


@dataclass(frozen=True)
class BahdanauState(State):
    """The decoder's state, the last context, and the encoder's side: its outputs, their keys, where they are real."""

    hidden: Hidden
    context: Float[Tensor, "B D"]
    memory: Float[Tensor, "B S D"]
    keys: Float[Tensor, "B S A"]
    mask: Bool[Tensor, "B S"]


class Bahdanau(Seq2Seq):
    """Neural machine translation by jointly learning to align and translate (Bahdanau et al. 2015, arXiv 1409.0473).

    h_1 … h_S: states of the encoder; s_0 = h_S. Two orders of a step:

    - "before", the paper's (section 3.1): c_t = attend(s_{t−1}; h);  s_t = f([y_{t−1}; c_t], s_{t−1});
      p(y_t) = softmax(W maxout(s_t, y_{t−1}, c_t)).
    - "after", which feeds the context to the next step: s_t = f(P [c_{t−1}; y_{t−1}], s_{t−1});
      c_t = attend(s_t; h);  p(y_t) = softmax(W s_t), with c_0 and the vector of BOS zero.

    The paper's encoder runs in both directions; this one runs forward. Expect it to hold up on long sequences,
    where a fixed vector forgets.

    Args:
        width: of the states.
        embedding: width of the token vectors; None for one-hot inputs.
        attention: width of the layer that scores; None takes `width`.
        cell: "lstm" or "gru".
        order: of a step, see above.
        dropout: on embeddings and before the output layer.

    Raises:
        ValueError: an unknown cell or order, or a size below 1.
    """

    def __init__(
        self,
        source_size: int,
        target_size: int,
        width: int = 256,
        embedding: int | None = 128,
        attention: int | None = None,
        cell: str = "lstm",
        order: str = "before",
        dropout: float = 0.0,
    ) -> None:
        super().__init__(source_size, target_size)
        if order not in ("before", "after"):
            raise ValueError(f"order must be before or after, but is {order!r}")
        check_sizes(width=width, embedding=embedding, attention=attention)
        check_cell(cell)
        self.order = order
        self.source_input = token_input(source_size, embedding, dropout)
        self.target_input = token_input(target_size, embedding, dropout)
        self.encoder = Recurrent(cell, self.source_input.width, width)
        self.attention = AdditiveAttention(width, width, attention or width)
        inputs = self.target_input.width
        cell_inputs = inputs + width if order == "before" else inputs
        self.cell = LSTMCell(cell_inputs, width) if cell == "lstm" else GRUCell(cell_inputs, width)
        self.projection = None if order == "before" else nn.Linear(inputs + width, inputs)
        self.deep_output = Maxout(inputs + 2 * width, width) if order == "before" else None
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(width, target_size)

    def encode(self, source: Int[Tensor, "B S"], source_lengths: Int[Tensor, " B"]) -> BahdanauState:
        memory, hidden = self.encoder(self.source_input(source), lengths=source_lengths)
        return BahdanauState(
            hidden=tuple(h.squeeze(1) for h in hidden),
            context=torch.zeros_like(memory[:, 0]),
            memory=memory,
            keys=self.attention.keys(memory),
            mask=padding_mask(source_lengths, source.size(1)),
        )

    def decode(  # type: ignore[override]  # a decoder takes the state that its own encoder made
        self, tokens: Int[Tensor, "B T"], state: BahdanauState
    ) -> tuple[Float[Tensor, "B T V"], BahdanauState]:
        embedded = self.target_input(tokens)
        if self.order == "after":
            embedded = embedded * (tokens != BOS)[..., None]
        token_gates, context_weight = self._input_gates(embedded)
        hidden, context = state.hidden, state.context
        outputs, contexts = [], []
        for gates in token_gates.unbind(1):
            if self.order == "before":
                context = self.attention(hidden[0], state.keys, state.memory, state.mask)
            hidden = self.cell(gates + F.linear(context, context_weight), hidden)
            if self.order == "after":
                context = self.attention(hidden[0], state.keys, state.memory, state.mask)
            outputs.append(hidden[0])
            contexts.append(context)
        logits = self._logits(torch.stack(outputs, 1), embedded, torch.stack(contexts, 1))
        return logits, replace(state, hidden=hidden, context=context)

    def _input_gates(self, embedded: Float[Tensor, "B T E"]) -> tuple[Float[Tensor, "B T GD"], Float[Tensor, "GD D"]]:
        """The cell's input gates as far as tokens decide them, for all steps at once, and the context's weight.

        In the order "after" the projection P and the cell's input weight W follow each other with nothing between:
        W (P x + p) + b is one product with W P.
        """
        weight, bias = self.cell.inputs.weight, self.cell.inputs.bias
        width = embedded.size(-1)
        if self.projection is not None:  # P takes [c; y]
            token_bias = F.linear(self.projection.bias, weight, bias)
            context_weight, token_weight = (weight @ self.projection.weight).split(
                [self.projection.in_features - width, width], dim=1
            )
        else:
            token_bias = bias
            token_weight, context_weight = weight.split([width, self.cell.inputs.in_features - width], dim=1)
        return F.linear(embedded, token_weight, token_bias), context_weight

    def _logits(
        self,
        outputs: Float[Tensor, "B T D"],
        embedded: Float[Tensor, "B T E"],
        contexts: Float[Tensor, "B T D"],
    ) -> Float[Tensor, "B T V"]:
        if self.deep_output is not None:
            outputs = self.deep_output(torch.cat([outputs, embedded, contexts], dim=-1))
        return self.output(self.dropout(outputs))
