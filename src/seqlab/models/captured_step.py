"""The step of a model's decoder as captured work."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from seqlab.cuda_graphs import ByShape, CaptureError, GraphPool
from seqlab.decoding.captured import BoundedSearch, CapturedSearch, FixedStep
from seqlab.decoding.window import Seen, Window
from seqlab.layers.fixed_state import FixedState, columns_for, form_of
from seqlab.layers.state import State
from seqlab.private_parts import has_hooks
from seqlab.special_tokens import PAD

KEPT = 2
"""Searches that are kept for later batches. Each holds buffers as large as a batch's state."""

Decode = Callable[[Tensor, Any], tuple[Tensor, Any]]
MakeSearch = Callable[[FixedStep, GraphPool], CapturedSearch[Any]]


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
        self.forget()

    def forget(self) -> None:
        """Gives back the memory of all that was made."""
        self._kept = ByShape(KEPT)

    def search(self, search: BoundedSearch, rows: int, state: State, make: MakeSearch) -> CapturedSearch[Any]:
        """What `make` made of this step for such a search, so many rows and such states, now or earlier.

        Raises:
            CaptureError: such states cannot be kept in buffers of fixed size.
        """
        columns = columns_for(state, search.max_length)
        shape = search, rows, form_of(state), columns, self._circumstances()
        return self._kept.get(shape, lambda: make(self._fixed(state, columns), self.pool))

    def search_in_window(
        self, search: BoundedSearch, rows: int, window: Window, state: Seen, make: MakeSearch
    ) -> CapturedSearch[Any]:
        """As `search`, with a window over the model's decoder.

        Raises:
            CaptureError: such states cannot be kept in buffers of fixed size, or the window is too small for it.
        """
        if window.size < 4:
            raise CaptureError("what stays in the window may be a single token")
        assert isinstance(state.after, State)
        columns = columns_for(state.after, window.size - state.tokens.size(1))
        shape = search, rows, window.size, form_of(state.after), columns, self._circumstances()
        return self._kept.get(
            shape, lambda: make(_FixedWindow(window, self._fixed(state.after, columns), state.tokens), self.pool)
        )

    def _fixed(self, state: Any, columns: int) -> _FixedDecoder:
        return _FixedDecoder(self._decode, FixedState(state, columns))

    def _circumstances(self) -> Hashable:
        """What else is part of captured work: where weights are, and how numbers are computed."""
        model, kind = self._model(), self.pool.device.type
        assert model is not None
        weights = tuple(tensor.data_ptr() for tensor in itertools.chain(model.parameters(), model.buffers()))
        half = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
        tf32 = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
        return weights, half, torch.get_default_dtype(), tf32


class _FixedDecoder:
    """The step on one fixed state."""

    def __init__(self, decode: weakref.WeakMethod[Decode], state: FixedState) -> None:
        self._decode, self._state = decode, state
        self.read, self.select = state.read, state.select

    def prepare(self) -> None:
        """There is nothing to do."""

    def __call__(self, tokens: Int[Tensor, " B"]) -> Float[Tensor, "B V"]:
        decode, kind = self._decode(), tokens.device.type
        assert decode is not None
        half = torch.is_autocast_enabled(kind)
        # A graph cannot have weights that autocast has cast and kept, and will throw away.
        with torch.autocast(kind, torch.get_autocast_dtype(kind), enabled=half, cache_enabled=False):
            return self._state.step(decode, tokens)


class _FixedWindow:
    """The step on one fixed state, and the tokens in the window. Of a full window the part that stays is decoded again,
    but for the last token, with no graph.
    """

    def __init__(self, window: Window, step: _FixedDecoder, tokens: Int[Tensor, "B _"]) -> None:
        self._decode, self._size, self._step = weakref.WeakMethod(window.decode), window.size, step
        self._tokens = tokens.new_zeros(len(tokens), window.size)
        self._next = tokens.new_empty(1)
        self._count = 0

    def read(self, state: Seen) -> None:
        """Copies a state."""
        self._before = state.before
        self._fill(state.tokens, state.after)

    def _fill(self, tokens: Int[Tensor, "B T"], after: Any) -> None:
        self._step.read(after)
        self._count = tokens.size(1)
        self._tokens[:, : self._count] = tokens
        self._next.fill_(self._count)

    def prepare(self) -> None:
        """Makes room for a token."""
        if self._count == self._size:
            decode = self._decode()
            assert decode is not None
            stays = self._tokens[:, 1 - self._size // 2 :].clone()
            self._fill(stays, decode(stays, self._before)[1])
        self._count += 1

    def __call__(self, tokens: Int[Tensor, " B"]) -> Float[Tensor, "B V"]:
        self._tokens.index_copy_(1, self._next, tokens[:, None])
        self._next.add_(1)
        return self._step(tokens)

    def select(self, rows: Int[Tensor, " B"]) -> None:
        """Reorders the rows in place. Rows with the same source began with the same state."""
        self._step.select(rows)
        self._tokens.copy_(self._tokens.index_select(0, rows))


@dataclass(frozen=True)
class CapturedWindow(Window):
    """A window over a model's decoder, which searches may capture."""

    step: CapturedStep

    @property
    def capturable(self) -> bool:
        """Whether it was not given up."""
        return self.step.capturable

    def give_up(self, reason: Exception) -> None:
        """Captured work is not to be tried again."""
        self.step.give_up(reason)

    def forget(self) -> None:
        """Gives back the memory of all that was made."""
        self.step.forget()

    def search(self, search: BoundedSearch, rows: int, state: Seen, make: MakeSearch) -> CapturedSearch[Any]:
        """As that of `CapturedStep`."""
        return self.step.search_in_window(search, rows, self, state, make)


SOURCES = 8
"""On a GPU sources are padded to a multiple of so many tokens: batches of about one length share a graph."""


def with_few_widths(source: Int[Tensor, "B S"], limit: int | None) -> Int[Tensor, "B _"]:
    """Sources with more padding, so that few widths occur; not wider than `limit`, if they are not yet."""
    width = -(-source.size(1) // SOURCES) * SOURCES
    width = width if limit is None else max(source.size(1), min(width, limit))
    return F.pad(source, (0, width - source.size(1)), value=PAD)


_STEPS: weakref.WeakKeyDictionary[nn.Module, CapturedStep] = weakref.WeakKeyDictionary()


def captured_step_of(model: nn.Module, step: Decode, device: torch.device) -> CapturedStep | None:
    """A model's step function that searches may capture: on a GPU, as long as the step is the same at each call.

    That is, in evaluation mode, and without hooks, which a graph would not call; otherwise None.
    """
    if device.type != "cuda":
        _STEPS.pop(model, None)  # gives the GPU's memory back if the model was there before
        return None
    if any(module.training or has_hooks(module) for module in model.modules()):
        return None
    if model not in _STEPS or _STEPS[model].pool.device != device:
        _STEPS[model] = CapturedStep(model, step, device)
    return _STEPS[model]
