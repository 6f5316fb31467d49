"""What makes an architecture: teacher-forced logits, generating and attention maps, written over `encode` and `decode`.

B batch, S source length, T target length, V target vocabulary. "*P" is B and T, or the N positions that are no padding.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seqlab.decoding import Hypotheses, Search, Step, Window
from seqlab.decoding.hypotheses import Selectable
from seqlab.decoding.window import Decode
from seqlab.errors import InputError
from seqlab.layers.attention import Attention, captured_attention
from seqlab.layers.packing import EVERYWHERE, Packing
from seqlab.layers.state import State
from seqlab.models.fast_attribute_access import quick_lookups
from seqlab.special_tokens import BOS


class Seq2Seq(nn.Module):
    """Base of every architecture. A subclass writes `encode` and `decode`; all the rest is here.

    Training runs `decode` over all target tokens at once (teacher forcing); generation calls the same `decode` one
    token at a time. So what is trained is what is searched. `training_module.trainable` makes a LightningModule of a
    subclass.

    Args:
        source_size, target_size: number of ids of either side, the four specials included. Training gives them, and
            to a subclass that takes `sources` whether the data has any.
    """

    max_positions: int | None = None  # of a model that learns a vector for each position
    positional = False  # whether it tells tokens by their positions, so that it knows no texts longer than it was shown

    def __init__(self, source_size: int, target_size: int) -> None:
        super().__init__()
        self.source_size, self.target_size = source_size, target_size

    @abstractmethod
    def encode(self, source: Int[Tensor, "B S"], source_lengths: Int[Tensor, " B"]) -> State:
        """Reads the sources (PAD on the right) into the state from which the decoder starts."""

    @abstractmethod
    def decode(self, tokens: Int[Tensor, "B T"], state: State) -> tuple[Float[Tensor, "*P V"], State]:
        """Logits of the token after each of `tokens`, and the state after the last of them.

        Decoding tokens together or one after another through the state gives the same logits. Where `state.packing`
        leaves out padding, they may be (N, V): those of the real positions alone.
        """

    def forward(
        self,
        source: Int[Tensor, "B S"],
        source_lengths: Int[Tensor, " B"],
        tokens: Int[Tensor, "B T"],
        real: Bool[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "*P V"]:
        """Teacher-forced logits of the token after each of `tokens`.

        With `real`, which is False at the padding on the right, those of the N real positions alone, (N, V), where
        leaving out padding pays.
        """
        packing = EVERYWHERE if real is None else Packing.of(real)
        logits, _ = self.decode(tokens, replace(self.encode(source, source_lengths), packing=packing))
        return logits if logits.dim() == 2 else packing.pack(logits)

    def positions_needed(self, source_length: int, target_length: int) -> int:
        """Positions that a pair occupies (BOS occupies one of the target, EOS none); `max_positions` is the limit."""
        return max(source_length, target_length)

    def check_lengths(self, source_length: int, target_length: int) -> None:
        """Refuses lengths beyond the positions that the model has learnt.

        Raises:
            InputError: such a pair needs more than `max_positions`.
        """
        needed = self.positions_needed(source_length, target_length)
        if self.max_positions is not None and needed > self.max_positions:
            raise InputError(
                f"a source of {source_length} tokens and a target of up to {target_length} need {needed} positions, but"
                f" model.max_positions is {self.max_positions}"
            )

    @torch.inference_mode()
    def generate(
        self,
        source: Int[Tensor, "B S"],
        source_lengths: Int[Tensor, " B"],
        search: Search,
        prompt: Int[Tensor, "B P"] | None = None,
        window: int | None = None,
    ) -> Hypotheses:
        """Generates free-running by `search`, after the tokens `prompt` (by default BOS). Call `eval()` first.

        With a `window` outputs may grow longer than the model has positions for: see `begin`.

        Raises:
            InputError: outputs may grow longer than the model has positions for.
        """
        said = window or (0 if prompt is None else prompt.size(1) - 1) + search.max_length
        self.check_lengths(int(source_lengths.max()), said)
        with quick_lookups(self):
            return search(*self.begin(source, source_lengths, prompt, window))

    def begin(
        self,
        source: Int[Tensor, "B S"],
        source_lengths: Int[Tensor, " B"],
        prompt: Int[Tensor, "B P"] | None = None,
        window: int | None = None,
    ) -> tuple[Step, Selectable, Int[Tensor, " B"]]:
        """What a search starts from: the step, the state before the last token of `prompt` (by default BOS), and it.

        With a `window`, a positional model sees no more than that many tokens at once; of a longer prompt it sees the
        last that fit.
        """
        if prompt is None:
            prompt = source_lengths.new_full((len(source), 1), BOS)
        state = self.encode(source, source_lengths)
        if window is not None and self.positional:
            prompt = prompt[:, -window:]
            within = Window(cast(Decode, self.decode), window)
            return within, within.begin(prompt[:, :-1], state), prompt[:, -1]
        if prompt.size(1) > 1:
            _, state = self.decode(prompt[:, :-1], state)
        return cast(Step, self._step), state, prompt[:, -1]

    def _step(self, tokens: Int[Tensor, " B"], state: State) -> tuple[Float[Tensor, "B V"], State]:
        logits, state = self.decode(tokens[:, None], state)
        return logits[:, -1], state

    @property
    def attends(self) -> bool:
        """Whether there is attention inside the model."""
        return any(isinstance(module, Attention) for module in self.modules())

    @torch.inference_mode()
    def attention_maps(
        self, source: Int[Tensor, "B S"], source_lengths: Int[Tensor, " B"], tokens: Int[Tensor, "B T"]
    ) -> dict[str, Float[Tensor, "B H _ _"]]:
        """The weights of each attention inside the model while it decodes `tokens`, by the name of its module.

        (B, heads, queries, memory), summing to 1 over the memory. An attention without heads counts as having one; a
        model without attention returns an empty dictionary. Call `eval()` first.
        """
        with captured_attention(self) as maps:
            self(source, source_lengths, tokens)
        return {name: _with_heads(steps) for name, steps in maps.items()}


def _with_heads(calls: list[Tensor]) -> Float[Tensor, "B H _ _"]:
    """Joins the weights of an attention called once per step, (B, M), or for all steps: (B, T, M), (B, H, T, M).

    When called for all steps, the last call counts: earlier ones are a decoder-only model reading its source.
    """
    weights = torch.stack(calls, dim=1) if calls[0].dim() == 2 else calls[-1]
    return weights if weights.dim() == 4 else weights[:, None]
