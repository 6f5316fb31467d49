"""The decoder-only Transformer: a language model that reads the source as a prefix of the target.

B batch, S source length, T target length, D width, N layers, V target vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seqlab.layers.attention import padding_mask
from seqlab.layers.embedding import embeddings, output_layer
from seqlab.layers.packing import Packing, values_at_hand
from seqlab.layers.positions import PositionedEmbedding, added_positions
from seqlab.layers.recurrent_mixer import MixerState, RecurrentMixer
from seqlab.layers.state import State
from seqlab.layers.transformer_blocks import Block, Known, Stack
from seqlab.models.base import Seq2Seq


@dataclass(frozen=True)
class GPTState(State):
    """What the mixer of each layer knows: attention's cache has S + t tokens, with the sources' padding between source
    and target, other mixers have left it out.

    `known` is None before anything was read; `mask` is True where the source is real, and None without a source or
    where padding was left out.
    """

    known: tuple[Known, ...] | None
    mask: Bool[Tensor, "B S"] | None

    def columns(self, new: int) -> Bool[Tensor, "B M"] | None:
        """True where columns are real, after `new` more tokens (None: everywhere)."""
        if self.mask is None:
            return None
        assert self.known is not None  # the source at least was read
        assert not isinstance(self.known[0], MixerState)  # which needs no mask
        tokens = self.known[0].columns(new) - self.mask.size(1)
        return torch.cat([self.mask, self.mask.new_ones(len(self.mask), tokens)], dim=1)

    def positions(self, new: int, device: torch.device) -> Int[Tensor, "*B T"]:
        """Positions of the next `new` tokens: without sources the same for all rows, else after each row's source."""
        steps = torch.arange(new, device=device) if self.known is None else self.known[0].positions(new)
        return steps if self.mask is None else steps - (~self.mask).sum(dim=1, keepdim=True)


class GPT(Seq2Seq):
    """Language models are unsupervised multitask learners (Radford et al. 2019, section 2.3), with a prefix.

    One stack of causal blocks reads the source, then BOS and the target; the loss is computed on the target only. With
    an empty source it is a plain language model. The initial weights of layers that end a residual branch are scaled by
    1/√(2N), so that the sum over N blocks keeps its scale. Expect it to need more data or more steps on pairs than an
    encoder–decoder of the same size (the source is read in one direction only). It is the only architecture here made
    for plain text.

    Args:
        width: D, width of embeddings and blocks.
        heads: heads of every attention; they share the width.
        layers: N.
        feed_forward: inner width of the feed-forward layers; None means 4 D.
        activation: "gelu" (the paper's), "relu", "swiglu" or "squared_relu".
        norm: "pre" (the paper's), "post" or "both"; see `Residual`.
        mixer: "attention" (the paper's), or in its place "min_gru" (`MinGRU`) or "gated_linear"
            (`GatedLinearAttention`), which generate with a state of fixed size. They know the order of tokens by
            themselves; `positions` are added all the same, and so a window is needed for long texts.
        positions: "learned" (the paper's), "sinusoidal" or "rotary".
        max_positions: number of learned positions, for source and target together.
        normalised: normalise queries and keys.
        tied: share the output layer's weight with the target embedding.
        shared: one embedding for both sides; needs one vocabulary (data.shared_vocabulary).
        sources: whether the data has sources; without, there is no source embedding, and no source is read.
        dropout: on embeddings and on the output of every sublayer.

    Raises:
        ValueError: an unknown choice, a size below 1, `heads` that do not divide `width`, rotary positions or
            `normalised` without attention, or `shared` with vocabularies of different sizes.
    """

    positional = True

    def __init__(
        self,
        source_size: int,
        target_size: int,
        width: int = 256,
        heads: int = 8,
        layers: int = 6,
        feed_forward: int | None = None,
        activation: str = "gelu",
        norm: str = "pre",
        mixer: str = "attention",
        positions: str = "learned",
        max_positions: int = 512,
        normalised: bool = False,
        tied: bool = True,
        shared: bool = False,
        sources: bool = True,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(source_size, target_size)
        if normalised and mixer != "attention":
            raise ValueError(f"normalised is for queries and keys of attention, which mixer={mixer} replaces")
        self.stack = Stack(
            layers,
            width,
            norm,
            causal=True,
            heads=heads,
            feed_forward=4 * width if feed_forward is None else feed_forward,
            activation=activation,
            dropout=dropout,
            rotary=positions == "rotary",
            normalised=normalised,
            mixer=mixer,
        )
        encoding = added_positions(positions, max_positions, width)  # one for both: source and target are one text
        source, target = embeddings(source_size if sources else target_size, target_size, width, shared or not sources)
        self.source_input, self.target_input = (PositionedEmbedding(t, encoding, dropout) for t in (source, target))
        self.output = output_layer(width, target_size, target if tied else None)
        self.max_positions = max_positions if positions == "learned" else None
        self._sources, self._leaves_padding_out = sources, mixer != "attention"
        self._initialise()

    def positions_needed(self, source_length: int, target_length: int) -> int:
        """Positions of source and target together, because one follows the other."""
        return source_length + target_length

    def _initialise(self) -> None:
        """Normal with standard deviation 0.02, biases zero (Radford et al. 2018, section 4.1); less where a residual
        branch ends. Recurrent mixers keep the weights that they have drawn: with so small ones all gates of a minGRU
        start at ½, and it learns far more slowly.
        """
        ends = [end for block in self.stack.blocks for end in cast(Block, block).ends()]
        mixers = [module for module in self.modules() if isinstance(module, RecurrentMixer)]
        kept = {module for mixer in mixers for module in mixer.modules()}
        for module in self.modules():
            if isinstance(module, nn.Linear) and module not in kept:
                nn.init.normal_(module.weight, std=0.02 * (len(ends) ** -0.5 if module in ends else 1.0))
                nn.init.zeros_(module.bias)
        for part in (self.source_input, self.target_input):
            part.tokens.initialise(0.02)

    def encode(self, source: Int[Tensor, "B S"], source_lengths: Int[Tensor, " B"]) -> GPTState:
        if not self._any_source(source_lengths):
            return GPTState(None, None)
        positions = torch.arange(source.size(1), device=source.device)
        mask = padding_mask(source_lengths, source.size(1)) & (source_lengths > 0)[:, None]
        # Attention needs no mask yet: padding is on the right of the source, and causal attention does not look there.
        # Other mixers leave padding out now, because they cannot forget it afterwards.
        now, later = (mask, None) if self._leaves_padding_out else (None, mask)
        _, known = self.stack(self.source_input(source, positions), positions, now, packing=Packing.of(mask))
        return GPTState(known, later)

    def _any_source(self, source_lengths: Int[Tensor, " B"]) -> bool:
        """Whether a row may have a source. Where lengths are not at hand, it may: empty sources are masked then, which
        takes time but changes no logit.
        """
        return self._sources and (not values_at_hand(source_lengths) or bool(source_lengths.any()))

    def decode(  # type: ignore[override]  # a decoder takes only the state of its encoder
        self, tokens: Int[Tensor, "B T"], state: GPTState
    ) -> tuple[Float[Tensor, "*P V"], GPTState]:
        new = tokens.size(1)
        positions = state.positions(new, tokens.device)
        outputs, known = self.stack(
            self.target_input(tokens, positions), positions, state.columns(new), state.known, packing=state.packing
        )
        return self.output(outputs), replace(state, known=known)
