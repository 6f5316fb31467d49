"""Base class of all architectures: teacher forcing, generation and attention maps in terms of `encode` and `decode`.

B batch, S source length, T target length, V target vocabulary. "*P" is B and T, or the N positions without padding.
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
from seqlab.models.captured_step import CapturedWindow, captured_step_of, with_few_widths
from seqlab.models.fast_attribute_access import quick_lookups
from seqlab.special_tokens import BOS


def parameter_count(module: nn.Module, trained: bool = False) -> int:
    """How many parameters a module has; `trained`: without those that are frozen."""
    return sum(one.numel() for one in module.parameters() if one.requires_grad or not trained)


class Seq2Seq(nn.Module):
    """Base class of every architecture. A subclass implements `encode` and `decode`.

    Training calls `decode` on all target tokens at once (teacher forcing); generation calls the same `decode` one token
    at a time. `training_module.trainable` makes a LightningModule of a subclass.

    Args:
        source_size, target_size: vocabulary sizes, the four special symbols included. Training passes them, and
            `sources`, whether the data has sources, to a subclass that takes it.
    """

    max_positions: int | None = None  # the limit of a model that learns a vector per position
    positional = False  # whether the model depends on absolute positions, and so needs a window for longer texts

    def __init__(self, source_size: int, target_size: int) -> None:
        super().__init__()
        self.source_size, self.target_size = source_size, target_size

    @abstractmethod
    def encode(self, source: Int[Tensor, "B S"], source_lengths: Int[Tensor, " B"]) -> State:
        """Encodes the sources (PAD on the right) into the decoder's first state."""

    @abstractmethod
    def decode(self, tokens: Int[Tensor, "B T"], state: State) -> tuple[Float[Tensor, "*P V"], State]:
        """Logits of the token after each of `tokens`, and the state after the last of them.

        Decoding tokens together gives the same logits as decoding them one by one through the state. If
        `state.packing` leaves out padding, logits may be (N, V), those of the real positions alone.
        """

    def forward(
        self,
        source: Int[Tensor, "B S"],
        source_lengths: Int[Tensor, " B"],
        tokens: Int[Tensor, "B T"],
        real: Bool[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "*P V"]:
        """Teacher-forced logits of the token after each of `tokens`.

        With `real`, which is False at the padding on the right, those of the N real positions alone, (N, V), if
        `Packing.of(real)` leaves out padding.
        """
        packing = EVERYWHERE if real is None else Packing.of(real)
        logits, _ = self.decode(tokens, replace(self.encode(source, source_lengths), packing=packing))
        return logits if logits.dim() == 2 else packing.pack(logits)

    def positions_needed(self, source_length: int, target_length: int) -> int:
        """Positions that a pair occupies (BOS takes a target position, EOS none); `max_positions` is the limit."""
        return max(source_length, target_length)

    def check_lengths(self, source_length: int, target_length: int) -> None:
        """Checks that a pair of these lengths fits into the positions that the model has learnt.

        Raises:
            InputError: it needs more than `max_positions`.
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
        longest = window or (0 if prompt is None else prompt.size(1) - 1) + search.max_length
        self.check_lengths(int(source_lengths.max()), longest)
        if source.device.type == "cuda":
            source = with_few_widths(source, self.max_positions)
        with quick_lookups(self):
            return search(*self.begin(source, source_lengths, prompt, window))

    def begin(
        self,
        source: Int[Tensor, "B S"],
        source_lengths: Int[Tensor, " B"],
        prompt: Int[Tensor, "B P"] | None = None,
        window: int | None = None,
    ) -> tuple[Step, Selectable, Int[Tensor, " B"]]:
        """What a search starts from: the step function, the state before the last token of `prompt`, and that token.

        The default prompt is BOS. With a `window`, a positional model sees at most that many tokens at once, of a
        longer prompt the last ones.
        """
        if prompt is None:
            prompt = source_lengths.new_full((len(source), 1), BOS)
        state = self.encode(source, source_lengths)
        captured = captured_step_of(self, self._step, source.device)
        if window is not None and self.positional:
            prompt, decode = prompt[:, -window:], cast(Decode, self.decode)
            windowed = Window(decode, window) if captured is None else CapturedWindow(decode, window, captured)
            return windowed, windowed.begin(prompt[:, :-1], state), prompt[:, -1]
        if prompt.size(1) > 1:
            _, state = self.decode(prompt[:, :-1], state)
        return cast(Step, captured or self._step), state, prompt[:, -1]

    def _step(self, tokens: Int[Tensor, " B"], state: State) -> tuple[Float[Tensor, "B V"], State]:
        logits, state = self.decode(tokens[:, None], state)
        return logits[:, -1], state

    @property
    def attends(self) -> bool:
        """Whether the model has an attention layer."""
        return any(isinstance(module, Attention) for module in self.modules())

    @torch.inference_mode()
    def attention_maps(
        self, source: Int[Tensor, "B S"], source_lengths: Int[Tensor, " B"], tokens: Int[Tensor, "B T"]
    ) -> dict[str, Float[Tensor, "B H _ _"]]:
        """The weights of each attention inside the model while it decodes `tokens`, by the name of its module.

        Each is (B, heads, queries, memory) and sums to 1 over the memory; attention without heads has one. A model
        without attention returns an empty dictionary. Call `eval()` first.
        """
        with captured_attention(self) as maps:
            self(source, source_lengths, tokens)
        return {name: with_heads(steps) for name, steps in maps.items()}


def with_heads(calls: list[Tensor]) -> Float[Tensor, "B H _ _"]:
    """Stacks the weights of an attention that is called once per step, (B, M); else takes its last call.

    That is (B, T, M) or (B, H, T, M), all steps at once; in earlier calls a decoder-only model reads its source.
    """
    weights = torch.stack(calls, dim=1) if calls[0].dim() == 2 else calls[-1]
    return weights if weights.dim() == 4 else weights[:, None]
