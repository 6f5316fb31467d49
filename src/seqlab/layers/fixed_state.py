"""A decoder's state in tensors that stay where they are, for captured work.

B rows, V vocabulary.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqlab.cuda_graphs import CaptureError
from seqlab.layers.kv_cache import Columns, FixedKVCache, KVCache
from seqlab.layers.packing import Packing
from seqlab.layers.state import Sources, State
from seqlab.private_parts import copy_all

GRAIN = 64
"""Caches have a multiple of this many columns: prompts of about one length share a graph."""


def columns_for(state: State, room: int) -> int:
    """The columns that caches of fixed size need to take `room` more tokens than those of `state` have; 0 if there are
    no caches.
    """
    lengths = [leaf.length for leaf, _ in _leaves(state) if isinstance(leaf, KVCache)]
    return -(-(max(lengths) + room) // GRAIN) * GRAIN if lengths else 0


def form_of(value: Any) -> Hashable:
    """What two states have in common if they fit into the same buffers, whatever the length of their caches.

    Raises:
        CaptureError: there is something in the state whose buffers are not known.
    """
    if isinstance(value, Tensor):
        return tuple(value.shape), value.dtype
    if isinstance(value, KVCache):
        keys, values = value.buffers
        return KVCache, *keys.shape[:2], keys.size(3), keys.dtype, values.dtype
    if isinstance(value, State):
        if type(value).select not in (State.select, Sources.select):
            raise CaptureError(f"{type(value).__name__} has a `select` of its own")
        fields = (getattr(value, field.name) for field in dataclasses.fields(value))
        return type(value), *(form_of(field) for field in fields)
    if type(value) is tuple:
        return tuple(form_of(item) for item in value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Packing) and value.indices is None:
        return Packing
    raise CaptureError(f"a state holds a {type(value).__name__}")


def _leaves(value: Any, shared: bool = False) -> Iterator[tuple[Any, bool]]:
    """The tensors and caches of a state, and whether they are shared by rows, as what is in `Sources`."""
    if isinstance(value, Tensor | KVCache | FixedKVCache):
        yield value, shared
    elif isinstance(value, State):
        for field in dataclasses.fields(value):
            yield from _leaves(getattr(value, field.name), shared or isinstance(value, Sources))
    elif type(value) is tuple:
        for item in value:
            yield from _leaves(item, shared)


def _with_leaves(value: Any, leaves: Iterator[Any]) -> Any:
    """A state like `value`, with these tensors and caches."""
    if isinstance(value, Tensor | KVCache):
        return next(leaves)
    if isinstance(value, State):
        fields = {field.name: _with_leaves(getattr(value, field.name), leaves) for field in dataclasses.fields(value)}
        return dataclasses.replace(value, **fields)
    return tuple(_with_leaves(item, leaves) for item in value) if type(value) is tuple else value


class FixedState:
    """Buffers for states of the form of `state`, with so many columns in their caches.

    Raises:
        CaptureError: the state cannot be kept in buffers of fixed size.
    """

    def __init__(self, state: State, columns: int) -> None:
        self._form = form_of(state)
        values = list(_leaves(state))
        caches = [value for value, _ in values if isinstance(value, KVCache)]
        if len({cache.length for cache in caches}) > 1:
            raise CaptureError("the caches of a state have different lengths")
        self._columns = Columns(caches[0].buffers[0], columns) if caches else None
        self._leaves = [self._buffer(value) for value, _ in values]
        self._of_rows = [leaf for leaf, (_, shared) in zip(self._leaves, values, strict=True) if not shared]
        self._state = _with_leaves(state, iter(self._leaves))
        self._unchanging = _constants(self._state)
        self._storages = {tensor.untyped_storage().data_ptr() for tensor in self._tensors()}

    def _buffer(self, value: Tensor | KVCache) -> Tensor | FixedKVCache:
        if isinstance(value, Tensor):
            return torch.empty(value.shape, dtype=value.dtype, device=value.device)
        assert self._columns is not None
        return FixedKVCache.like(value, self._columns)

    def _tensors(self) -> Iterator[Tensor]:
        for leaf in self._leaves:
            yield from [leaf] if isinstance(leaf, Tensor) else leaf.buffers
        if self._columns is not None:
            yield from (self._columns.next, self._columns.scores)

    def read(self, state: State) -> None:
        """Copies a state of the same form into the buffers."""
        assert form_of(state) == self._form
        for leaf, (value, _) in zip(self._leaves, _leaves(state), strict=True):
            if isinstance(leaf, Tensor):
                leaf.copy_(value)
            else:
                leaf.read(value)
                leaf.held.fill(value.length)

    def step(
        self, decode: Callable[[Tensor, State], tuple[Tensor, State]], tokens: Int[Tensor, " B"]
    ) -> Float[Tensor, "B V"]:
        """The logits after one more token of each row. The buffers hold the state after it by then.

        Raises:
            CaptureError: that state has another form, so that no graph could compute it again and again.
        """
        if self._columns is not None:
            self._columns.open()
        logits, after = decode(tokens, self._state)
        self._update(after)
        if self._columns is not None:
            self._columns.close()
        return logits

    def _update(self, after: State) -> None:
        new = [leaf for leaf, _ in _leaves(after)]
        if _constants(after) != self._unchanging or len(new) != len(self._leaves):
            raise CaptureError("a state changes its form from token to token")
        buffers, values = [], []
        for buffer, value in zip(self._leaves, new, strict=True):
            if value is buffer:
                continue
            if not (isinstance(buffer, Tensor) and isinstance(value, Tensor) and value.shape == buffer.shape):
                raise CaptureError("a state changes its form from token to token")
            buffers.append(buffer)
            # What is part of a buffer might be overwritten before it is read.
            values.append(value.clone() if value.untyped_storage().data_ptr() in self._storages else value)
        if buffers:
            copy_all(buffers, values)

    def select(self, rows: Int[Tensor, " B"]) -> None:
        """Reorders the rows in place; each row's comes from a row with the same source."""
        for leaf in self._of_rows:
            if isinstance(leaf, Tensor):
                leaf.copy_(leaf.index_select(0, rows))
            else:
                leaf.select(rows)


def _constants(value: Any) -> Hashable:
    """What of a state is neither tensors nor caches."""
    if isinstance(value, Tensor | FixedKVCache):
        return ...
    if isinstance(value, State):
        fields = (getattr(value, field.name) for field in dataclasses.fields(value))
        return type(value), *(_constants(field) for field in fields)
    return tuple(map(_constants, value)) if type(value) is tuple else value
