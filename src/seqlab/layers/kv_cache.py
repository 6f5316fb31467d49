"""The key/value cache of attention.

B batch, H heads, M tokens read, T new ones, R rows, K head width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seqlab.layers.state import State


@dataclass(frozen=True)
class KVCache(State):
    """Keys and values of earlier tokens. Immutable: appending returns a new cache.

    Copying all of them for every token would cost more than attending to them. So they lie in buffers with spare room,
    shared with the caches that follow from this one: the first to append takes the room. Whoever appends to the same
    cache again finds the room `taken` and gets buffers of its own.
    """

    buffers: tuple[Float[Tensor, "B H _ K"], Float[Tensor, "B H _ K"]]
    length: int
    taken: list[int]  # of one number, the places in use, which all who share the buffers see

    @classmethod
    def of(cls, keys: Float[Tensor, "B H M K"], values: Float[Tensor, "B H M K"]) -> KVCache:
        """Keys and values as they are, with no room behind them."""
        return cls((keys, values), keys.size(2), [keys.size(2)])

    @property
    def keys(self) -> Float[Tensor, "B H M K"]:
        """The keys."""
        return self.buffers[0].narrow(2, 0, self.length)

    @property
    def values(self) -> Float[Tensor, "B H M K"]:
        """The values."""
        return self.buffers[1].narrow(2, 0, self.length)

    def then(self, keys: Float[Tensor, "B H T K"], values: Float[Tensor, "B H T K"]) -> KVCache:
        """The cache with further tokens appended."""
        # Gradients need tensors that nobody writes into, and the compiler fails on what is written into with room left.
        if torch.compiler.is_compiling() or not torch.is_inference_mode_enabled():
            return KVCache.of(torch.cat([self.keys, keys], dim=2), torch.cat([self.values, values], dim=2))
        new = keys.size(2)
        end = self.length + new
        past = self if self.taken[0] == self.length and end <= self.buffers[0].size(2) else self._with_room(2 * end)
        past.buffers[0].narrow(2, self.length, new).copy_(keys)
        past.buffers[1].narrow(2, self.length, new).copy_(values)
        past.taken[0] = end
        return KVCache(past.buffers, end, past.taken)

    def _with_room(self, size: int) -> KVCache:
        keys, values = (old.new_empty(*old.shape[:2], size, old.size(3)) for old in self.buffers)
        keys[:, :, : self.length], values[:, :, : self.length] = self.keys, self.values
        return KVCache((keys, values), self.length, [self.length])

    def select(self, rows: Int[Tensor, " R"]) -> KVCache:
        """The past of these rows, in this order, with as much room."""
        keys, values = (buffer.index_select(0, rows) for buffer in self.buffers)
        return KVCache((keys, values), self.length, [self.length])
