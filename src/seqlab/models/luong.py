"""The encoder–decoder that attends after each step: multiplicative attention, whose result is fed to the next step.

B batch, S source length, T target length, D width, E input width, K key width, L layers, GD width of all gates,
V target vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from seqlab.checks import check_sizes
from seqlab.layers.attention import AdditiveAttention, DotAttention, GeneralAttention, padding_mask
from seqlab.layers.embedding import output_layer, token_input
from seqlab.layers.recurrent import Hidden, Recurrent, RecurrentCells
from seqlab.layers.state import Sources, State
from seqlab.models.base import Seq2Seq


def scored_attention(score: str, width: int) -> DotAttention | GeneralAttention | AdditiveAttention:
    """The attention with the score named `score`, for queries and memory of this width.

    Raises:
        ValueError: `score` is unknown.
    """
    if score == "dot":
        return DotAttention()
    if score == "general":
        return GeneralAttention(width, width)
    if score == "concat":
        return AdditiveAttention(width, width, width)
    raise ValueError(f"score must be dot, general or concat, but is {score!r}")


@dataclass(frozen=True)
class LuongState(State):
    """The decoder's h (and c for an LSTM), each (B, L, D), the last attentional state, and the encoder's side: keys,
    (B, S, K), and as values the encoder's outputs times their part of W_c, (B, S, D).
    """

    hidden: Hidden
    attentional: Float[Tensor, "B D"]
    sources: Sources


class Luong(Seq2Seq):
    """Effective approaches to attention-based neural machine translation (Luong et al. 2015, arXiv 1508.04025).

    m_1 … m_S: states of the encoder; its final states initialise the decoder, layer by layer.
    With input feeding (section 3.3): h_t = f([y_{t−1}; h̃_{t−1}], h_{t−1}), h̃_0 = 0; without: h_t = f(y_{t−1}, h_{t−1}).
    c_t = Σ_j α_j m_j, α = softmax(score(h_t, m)) (global attention, section 3.1);
    h̃_t = tanh(W_c [c_t; h_t]);  p(y_t) = softmax(W h̃_t + b)

    Unlike Bahdanau et al., it attends with the state after the step, and its scores are cheaper. Expect about the same
    quality in less time. Without input feeding all steps attend at once, but no step knows what the last one attended
    to.

    Args:
        width: width of the states.
        embedding: width of the token vectors; None for one-hot inputs.
        layers: recurrent layers on each side; the top layer of the decoder attends.
        cell: "lstm" or "gru".
        score: "dot" hᵀ m, "general" hᵀ W m or "concat" vᵀ tanh(W [h; m]).
        input_feeding: feed the attentional state of each step to the next.
        dropout: on inputs, between layers and before the output layer.
        tied: share the output layer's weight with the target embedding, which must be as wide as the state.

    Raises:
        ValueError: an unknown cell or score, a size below 1, or `tied` with different widths.
    """

    def __init__(
        self,
        source_size: int,
        target_size: int,
        width: int = 256,
        embedding: int | None = 128,
        layers: int = 1,
        cell: str = "lstm",
        score: str = "general",
        input_feeding: bool = True,
        dropout: float = 0.0,
        tied: bool = False,
    ) -> None:
        super().__init__(source_size, target_size)
        check_sizes(width=width, embedding=embedding, layers=layers)
        self.source_input = token_input(source_size, embedding, dropout)
        self.target_input = token_input(target_size, embedding, dropout)
        inputs = self.target_input.width
        self.encoder = Recurrent(cell, self.source_input.width, width, layers, dropout)
        self.attention = scored_attention(score, width)
        self.decoder = (
            RecurrentCells(cell, inputs + width, width, layers, dropout)
            if input_feeding
            else Recurrent(cell, inputs, width, layers, dropout)
        )
        self.of_context = nn.Linear(width, width, bias=False)
        self.of_hidden = nn.Linear(width, width, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.output = output_layer(width, target_size, self.target_input if tied else None)

    def encode(self, source: Int[Tensor, "B S"], source_lengths: Int[Tensor, " B"]) -> LuongState:
        memory, hidden = self.encoder(self.source_input(source), lengths=source_lengths)
        return LuongState(
            hidden=hidden,
            attentional=torch.zeros_like(memory[:, 0]),
            sources=Sources(
                (self.attention.keys(memory), self.of_context(memory)), padding_mask(source_lengths, source.size(1))
            ),
        )

    def decode(  # type: ignore[override]  # a decoder takes only the state of its encoder
        self, tokens: Int[Tensor, "B T"], state: LuongState
    ) -> tuple[Float[Tensor, "*P V"], LuongState]:
        embedded = self.target_input(tokens)
        if isinstance(self.decoder, RecurrentCells):
            attentional, hidden = self._feed(self.decoder, embedded, state)
        else:
            outputs, hidden = self.decoder(embedded, state.hidden, packing=state.packing)
            attentional = self._attend(outputs, state.sources)
        logits = self.output(self.dropout(state.packing.pack(attentional)))
        return logits, replace(state, hidden=hidden, attentional=attentional[:, -1])

    def _feed(
        self, cells: RecurrentCells, embedded: Float[Tensor, "B T E"], state: LuongState
    ) -> tuple[Float[Tensor, "B T D"], Hidden]:
        """Decodes step by step; each step reads the attentional state of the last."""
        token_gates, feeding_weight = cells.known_gates(embedded)
        layers = [tuple(h[:, layer] for h in state.hidden) for layer in range(state.hidden[0].size(1))]
        attentional, steps = state.attentional, []
        for gates in token_gates.unbind(1):
            layers = cells(gates + F.linear(attentional, feeding_weight), layers)
            attentional = self._attend(layers[-1][0], state.sources)
            steps.append(attentional)
        return torch.stack(steps, 1), tuple(torch.stack(h, 1) for h in zip(*layers, strict=True))

    def _attend(self, hidden: Float[Tensor, "B *T D"], sources: Sources) -> Float[Tensor, "B *T D"]:
        """The attentional states h̃. W_c [c; h] is the sum of two products; the one with c = Σ α m is computed before
        the average, once per sequence.
        """
        return torch.tanh(sources.attend(self.attention, hidden) + self.of_hidden(hidden))
