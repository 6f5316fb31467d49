"""The Transformer: an encoder and a decoder with attention and without recurrence.

B batch, S source length, T target length, D width, N layers, V target vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqlab.layers.attention import padding_mask
from seqlab.layers.embedding import embeddings, output_layer
from seqlab.layers.packing import Packing
from seqlab.layers.positions import PositionedEmbedding, added_positions
from seqlab.layers.state import Sources, State
from seqlab.layers.transformer_blocks import Known, Stack
from seqlab.models.base import Seq2Seq


@dataclass(frozen=True)
class TransformerState(State):
    """For each layer the source's keys and values, (B, H, S, K) each, and what its mixer knows of the tokens so far."""

    sources: Sources
    known: tuple[Known, ...] | None

    def positions(self, new: int, device: torch.device) -> Int[Tensor, "*B T"]:
        """Positions of the next `new` tokens, for all rows or for each."""
        return torch.arange(new, device=device) if self.known is None else self.known[0].positions(new)


class Transformer(Seq2Seq):
    """Attention is all you need (Vaswani et al. 2017, arXiv 1706.03762, section 3).

    Encoder: N blocks of self-attention and feed-forward over the whole source. Decoder: N blocks of self-attention to
    earlier tokens, attention to the encoder's outputs, and feed-forward. Training computes all positions at once;
    generation caches the keys and values of earlier tokens. Expect it to be the best of the architectures on sentence
    pairs once there are some ten thousand, the fastest to train per token, and poor on lengths that training did not
    have.

    Args:
        width: D, width of embeddings and blocks.
        heads: heads of every attention; they share the width.
        layers: N, on each side.
        feed_forward: inner width of the feed-forward layers.
        activation: "relu" (the paper's), "gelu", "swiglu" or "squared_relu".
        norm: "pre", "post" (the paper's) or "both"; see `Residual`.
        mixer: "attention" (the paper's), or in place of self-attention, on both sides, "min_gru" (`MinGRU`) or
            "gated_linear" (`GatedLinearAttention`). In the encoder half of it reads backward. The decoder attends to
            the encoder in any case. Positions are added to the inputs all the same.
        positions: "learned", "sinusoidal" (the paper's) or "rotary".
        max_positions: number of learned positions.
        normalised: normalise queries and keys; without self-attention those of the attention to the encoder.
        tied: share the output layer's weight with the target embedding (the paper's section 3.4).
        shared: one embedding for both sides; needs one vocabulary (data.shared_vocabulary).
        dropout: on embeddings and on the output of every sublayer (the paper's section 5.4).

    Raises:
        ValueError: an unknown choice, a size below 1, `heads` that do not divide `width`, rotary positions without
            self-attention, or `shared` with vocabularies of different sizes.
    """

    positional = True

    def __init__(
        self,
        source_size: int,
        target_size: int,
        width: int = 256,
        heads: int = 8,
        layers: int = 3,
        feed_forward: int = 512,
        activation: str = "relu",
        norm: str = "pre",
        mixer: str = "attention",
        positions: str = "sinusoidal",
        max_positions: int = 512,
        normalised: bool = False,
        tied: bool = True,
        shared: bool = False,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(source_size, target_size)
        settings = {
            "heads": heads,
            "feed_forward": feed_forward,
            "activation": activation,
            "dropout": dropout,
            "rotary": positions == "rotary",
            "normalised": normalised,
            "mixer": mixer,
        }
        self.encoder = Stack(layers, width, norm, causal=False, **settings)
        self.decoder = Stack(layers, width, norm, causal=True, memory=True, **settings)
        source, target = embeddings(source_size, target_size, width, shared)
        for embedding in (source, target):
            embedding.initialise(width**-0.5)  # times the scale √D below, entries have unit variance
        self.source_input, self.target_input = (
            PositionedEmbedding(table, added_positions(positions, max_positions, width), dropout, scale=width**0.5)
            for table in (source, target)
        )
        self.output = output_layer(width, target_size, target if tied else None)
        self.max_positions = max_positions if positions == "learned" else None

    def encode(self, source: Int[Tensor, "B S"], source_lengths: Int[Tensor, " B"]) -> TransformerState:
        positions = torch.arange(source.size(1), device=source.device)
        mask = padding_mask(source_lengths, source.size(1))
        packing = Packing.of(mask)
        outputs, _ = self.encoder(self.source_input(source, positions), positions, mask, packing=packing)
        return TransformerState(Sources(self.decoder.memories(outputs, packing), mask), known=None)

    def decode(  # type: ignore[override]  # a decoder takes only the state of its encoder
        self, tokens: Int[Tensor, "B T"], state: TransformerState
    ) -> tuple[Float[Tensor, "*P V"], TransformerState]:
        positions = state.positions(tokens.size(1), tokens.device)
        outputs, known = self.decoder(
            self.target_input(tokens, positions),
            positions,
            earlier=state.known,
            sources=state.sources,
            packing=state.packing,
        )
        return self.output(outputs), replace(state, known=known)
