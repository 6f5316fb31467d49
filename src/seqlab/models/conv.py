"""The encoder–decoder without recurrence: stacked convolutions on both sides, attention in every decoder layer.

B batch, S source length, T target length, K kernel size, D width, E embedding width, V target vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from seqlab.checks import check_sizes
from seqlab.layers.attention import padding_mask
from seqlab.layers.convolution import HALF, DecoderBlock, EncoderBlock, scaled_linear
from seqlab.layers.embedding import Embedding, output_layer
from seqlab.layers.positions import LearnedPositions, PositionedEmbedding
from seqlab.layers.state import Sources, State
from seqlab.models.base import Seq2Seq


@dataclass(frozen=True)
class ConvState(State):
    """The last K − 1 inputs of each decoder block, the number of tokens read, and the encoder's side: keys and values,
    (B, S, E) each.

    At the start the inputs are zeros and `position` is None, which means the same positions for all rows, so that a
    training batch looks up each position once, not once per row.
    """

    past: tuple[Float[Tensor, "B K1 D"], ...]
    position: Int[Tensor, " B"] | None
    sources: Sources


class Conv(Seq2Seq):
    """Convolutional sequence to sequence learning (Gehring et al. 2017, arXiv 1705.03122, section 3).

    e_j = embedded source token j + vector of position j;  z = W_z blocks(W_e e + b_e) + b_z
    g_i = embedded target token i + vector of position i;  h = blocks(W_g g + b_g; keys z, values √½ (z + e))
    p(y_{i+1}) = softmax(W_o (W_h h_i + b_h) + b_o)

    With n blocks of kernel K a position sees n (K − 1) + 1 tokens of its side; tokens further away influence the
    decoder only through attention. Expect it to find alignments within few epochs, by position rather than by what was
    read so far, and to fail on lengths that training did not have. In training no step waits for an earlier one, which
    pays on a GPU; in generation it is slower than a recurrent decoder of the same width.

    Two parts of the paper's recipe are for its stochastic gradient descent and are left out. Weight normalisation made
    training better with that optimizer, but worse with Adam, and it slows generation. The encoder's gradients are not
    divided by the number of attentions (section 3.4), because Adam would undo the division.

    Args:
        width: width of the convolutions.
        embedding: width of the token and position vectors, and of the attention.
        layers: blocks on each side.
        kernel: positions that a convolution spans; odd.
        dropout: on embeddings, on the input of each convolution and before the output layer.
        max_positions: tokens of the longest sequence on either side, BOS included.
        tied: share the output layer's weight with the target embedding.

    Raises:
        ValueError: an even kernel, or a size below 1.
    """

    positional = True

    def __init__(
        self,
        source_size: int,
        target_size: int,
        width: int = 256,
        embedding: int = 256,
        layers: int = 4,
        kernel: int = 3,
        dropout: float = 0.0,
        max_positions: int = 1024,
        tied: bool = False,
    ) -> None:
        super().__init__(source_size, target_size)
        check_sizes(width=width, embedding=embedding, layers=layers, kernel=kernel)
        if kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, but is {kernel}")
        self.source_input, self.target_input = (
            PositionedEmbedding(Embedding(size, embedding), LearnedPositions(max_positions, embedding), dropout)
            for size in (source_size, target_size)
        )
        self.encoder_input = scaled_linear(embedding, width, dropout)
        self.encoder = nn.ModuleList(EncoderBlock(width, kernel, dropout) for _ in range(layers))
        self.encoder_output = scaled_linear(width, embedding)
        self.decoder_input = scaled_linear(embedding, width, dropout)
        self.decoder = nn.ModuleList(DecoderBlock(width, embedding, kernel, dropout) for _ in range(layers))
        self.decoder_output = scaled_linear(width, embedding)
        self.dropout = nn.Dropout(dropout)
        self.output = (
            output_layer(embedding, target_size, self.target_input.tokens)
            if tied
            else scaled_linear(embedding, target_size, dropout)
        )
        for side in (self.source_input, self.target_input):  # section 3.5
            side.tokens.initialise(0.1)
            nn.init.normal_(cast(LearnedPositions, side.positions).table.weight, std=0.1)
        self._past = (kernel - 1, width)
        self.max_positions = max_positions

    def encode(self, source: Int[Tensor, "B S"], source_lengths: Int[Tensor, " B"]) -> ConvState:
        mask = padding_mask(source_lengths, source.size(1))
        positions = torch.arange(source.size(1), device=source.device)
        embedded = self.source_input(source, positions)
        hidden = self.encoder_input(embedded)
        for block in self.encoder:
            hidden = block(hidden, mask)
        keys = self.encoder_output(hidden)
        return ConvState(
            past=tuple(keys.new_zeros(len(source), *self._past) for _ in self.decoder),
            position=None,
            sources=Sources((keys, HALF * (keys + embedded)), mask),
        )

    def decode(  # type: ignore[override]  # a decoder takes only the state of its encoder
        self, tokens: Int[Tensor, "B T"], state: ConvState
    ) -> tuple[Float[Tensor, "*P V"], ConvState]:
        positions = torch.arange(tokens.size(1), device=tokens.device)
        if state.position is not None:
            positions = state.position[:, None] + positions
        embedded = self.target_input(tokens, positions)
        hidden = self.decoder_input(embedded)
        past = []
        for block, before in zip(self.decoder, state.past, strict=True):
            hidden, last = block(hidden, before, embedded, state.sources)
            past.append(last)
        logits = self.output(self.dropout(self.decoder_output(state.packing.pack(hidden))))
        position = (positions[..., -1] + 1).expand(len(tokens))
        return logits, replace(state, past=tuple(past), position=position)
