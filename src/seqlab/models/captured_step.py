"""The step of a model's decoder as captured work."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Hashable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from seqlab.cuda_graphs import ByShape, GraphPool
from seqlab.decoding.captured import CapturedSearch, FixedStep, Limits
from seqlab.layers.fixed_state import FixedState, form_of
from seqlab.layers.state import State
from seqlab.private_parts import has_hooks
from seqlab.special_tokens import PAD

KEPT = 2
"""Searches that are kept for later batches. Each holds buffers as large as a batch's state."""

Decode = Callable[[Tensor, Any], tuple[Tensor, Any]]


class CapturedStep:
    """A model's step function, which searches may capture.

    It keeps no model alive: it is kept beside the model as long as that lives.

    Args:
        model: in evaluation mode, and without hooks.
        step: a method of the model: tokens (B,) and the state before them give logits (B, V) and the state after them.
        device: of the model.

    Attributes:
        reason: why captured work was given up, if it was.
        pool: knows how many graphs were captured, and the seconds that took.
    """

    def __init__(self, model: nn.Module, step: Decode, device: torch.device) -> None:
        self._model, self._decode = weakref.ref(model), weakref.WeakMethod(step)
        self._kept: ByShape[CapturedSearch[Any]] = ByShape(KEPT)
        self.pool, self.reason = GraphPool(device), ""

    def __call__(self, tokens: Int[Tensor, " B"], state: State) -> tuple[Float[Tensor, "B V"], State]:
        """The step, not captured."""
        decode = self._decode()
        assert decode is not None
        return decode(tokens, state)

    @property
    def capturable(self) -> bool:
        """Whether it was not given up."""
        return not self.reason

    def give_up(self, reason: Exception) -> None:
        """Captured work is not to be tried again."""
        self.reason = f"{type(reason).__name__}: {reason}"
        self._kept = ByShape(KEPT)

    def search(
        self, search: Limits, state: State, make: Callable[[FixedStep, GraphPool], CapturedSearch[Any]]
    ) -> CapturedSearch[Any]:
        """What `make` made of this step for such a search and such states, now or earlier.

        Raises:
            CaptureError: such states cannot be kept in buffers of fixed size.
        """
        room = search.max_length
        shape = search, form_of(state, room), self._circumstances()
        return self._kept.get(shape, lambda: make(_FixedStep(self._decode, FixedState(state, room)), self.pool))

    def _circumstances(self) -> Hashable:
        """What else is part of captured work: where weights are, and how numbers are computed."""
        model, kind = self._model(), self.pool.device.type
        assert model is not None
        weights = tuple(tensor.data_ptr() for tensor in itertools.chain(model.parameters(), model.buffers()))
        half = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
        return weights, half, torch.get_default_dtype()


class _FixedStep:
    """The step on one fixed state."""

    def __init__(self, decode: weakref.WeakMethod[Decode], state: FixedState) -> None:
        self._decode, self._state = decode, state
        self.read, self.select = state.read, state.select

    def __call__(self, tokens: Int[Tensor, " B"]) -> Float[Tensor, "B V"]:
        decode, kind = self._decode(), tokens.device.type
        assert decode is not None
        half = torch.is_autocast_enabled(kind)
        # A graph cannot have weights that autocast has cast and kept, and will throw away.
        with torch.autocast(kind, torch.get_autocast_dtype(kind), enabled=half, cache_enabled=False):
            return self._state.step(decode, tokens)


SOURCES = 8
"""On a GPU sources are padded to a multiple of so many tokens: batches of about one length share a graph."""


def with_few_widths(source: Int[Tensor, "B S"], limit: int | None) -> Int[Tensor, "B _"]:
    """Sources with more padding, so that few widths occur; not wider than `limit`, if they are not yet."""
    width = -(-source.size(1) // SOURCES) * SOURCES
    width = width if limit is None else max(source.size(1), min(width, limit))
    return F.pad(source, (0, width - source.size(1)), value=PAD)


_STEPS: weakref.WeakKeyDictionary[nn.Module, CapturedStep] = weakref.WeakKeyDictionary()


def step_of(model: nn.Module, step: Decode, device: torch.device) -> Decode:
    """A model's step function for a search: on a GPU one that can be captured, as long as it is the same at each call.

    That is, in evaluation mode, and without hooks, which a graph would not call.
    """
    if device.type != "cuda" or any(module.training or has_hooks(module) for module in model.modules()):
        return step
    if model not in _STEPS or _STEPS[model].pool.device != device:
        _STEPS[model] = CapturedStep(model, step, device)
    return _STEPS[model]
