"""The encoder–decoder with a fixed context: the encoder's final state is an input of every step of the decoder.

B batch, S source length, T target length, D width, E input width, V target vocabulary, W output width of the layer that
reads [s; y; c]: E if `tied`, else V.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from seqlab.checks import check_sizes
from seqlab.layers.embedding import output_layer, token_input
from seqlab.layers.recurrent import Hidden, Recurrent
from seqlab.layers.state import State
from seqlab.models.base import Seq2Seq


@dataclass(frozen=True)
class ContextState(State):
    """The decoder's h (and c for an LSTM), each (B, 1, D), the context, which never changes, and, after the first call,
    the context's part of the output layer, which is the same at all steps.
    """

    hidden: Hidden
    context: Float[Tensor, "B D"]
    added: Float[Tensor, "B W"] | None = None


class ContextGRU(Seq2Seq):
    """Learning phrase representations using RNN encoder–decoder (Cho et al. 2014, arXiv 1406.1078, section 2.2).

    c = h_S, where h_t = f(x_t, h_{t−1});  s_0 = c, s_t = g([y_{t−1}; c], s_{t−1});
    p(y_t | y_{<t}, x) = softmax(W [s_t; y_{t−1}; c] + b)

    The encoder is that of `FixedVector` with one layer; only the decoder differs, whose state no longer has to remember
    the context. (In the paper c is tanh(V h_S), s_0 is tanh(V' c), and there is a maxout layer before W.) Expect a
    lower perplexity than with a fixed vector, more time per step, and the same trouble with long sources, because
    everything still passes through c.

    Args:
        width: width of the states.
        embedding: width of the token vectors; None for one-hot inputs.
        cell: "gru" or "lstm"; with either, c is the encoder's last h.
        dropout: on inputs, and on states and context before the output layer.
        tied: share the output layer's weight W with the target embedding; a matrix P projects to its width:
            p(y_t) = softmax(W P [s_t; y_{t−1}; c] + b). In the paper, too, W is a product of two matrices.

    Raises:
        ValueError: an unknown cell, a size below 1, or `tied` with one-hot inputs.
    """

    def __init__(
        self,
        source_size: int,
        target_size: int,
        width: int = 256,
        embedding: int | None = 128,
        cell: str = "gru",
        dropout: float = 0.0,
        tied: bool = False,
    ) -> None:
        super().__init__(source_size, target_size)
        check_sizes(width=width, embedding=embedding)
        self.source_input = token_input(source_size, embedding, dropout)
        self.target_input = token_input(target_size, embedding, dropout)
        inputs = self.target_input.width
        self.encoder = Recurrent(cell, self.source_input.width, width)
        self.decoder = Recurrent(cell, inputs + width, width)
        self.dropout = nn.Dropout(dropout)
        joined = width + inputs + width
        self.projection = nn.Linear(joined, inputs, bias=False) if tied else None
        self.output = output_layer(inputs, target_size, self.target_input) if tied else nn.Linear(joined, target_size)

    def encode(self, source: Int[Tensor, "B S"], source_lengths: Int[Tensor, " B"]) -> ContextState:
        _, hidden = self.encoder(self.source_input(source), lengths=source_lengths)
        return ContextState(hidden, context=hidden[0].squeeze(1))

    def decode(  # type: ignore[override]  # a decoder takes only the state of its encoder
        self, tokens: Int[Tensor, "B T"], state: ContextState
    ) -> tuple[Float[Tensor, "*P V"], ContextState]:
        embedded = self.target_input(tokens)
        repeated = state.context[:, None].expand(-1, tokens.size(1), -1)
        outputs, hidden = self.decoder(torch.cat([embedded, repeated], dim=-1), state.hidden, packing=state.packing)
        logits, added = self._logits(outputs, embedded, state)
        return logits, replace(state, hidden=hidden, added=added)

    def _logits(
        self, outputs: Float[Tensor, "B T D"], embedded: Float[Tensor, "B T E"], state: ContextState
    ) -> tuple[Float[Tensor, "*P V"], Float[Tensor, "B W"]]:
        """W [s; y; c] + b, or with `tied` W P [s; y; c] + b; and the context's part of the product, which is computed
        once for all steps, because this is the largest product of the model.
        """
        layer = self.output if self.projection is None else self.projection
        pack, context, added = state.packing.pack, state.context, state.added
        steps = torch.cat([self.dropout(pack(outputs)), pack(embedded)], dim=-1)
        step_weight, context_weight = layer.weight.split([steps.size(-1), context.size(-1)], dim=1)
        if added is None:
            added = F.linear(self.dropout(context), context_weight, layer.bias)
        joined = F.linear(steps, step_weight) + state.packing.of_rows(added)
        return (joined if self.projection is None else self.output(joined)), added
