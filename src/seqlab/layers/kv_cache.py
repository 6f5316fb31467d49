"""The key/value cache of attention.

B batch, H heads, M cached tokens, T new ones, R rows, K head width.
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

    Copying all of them for every token would cost more than attending to them. So they are kept in buffers with spare
    room, which a cache shares with the one that its first append returns. A second append to the same cache finds the
    room taken and gets new buffers.
    """

    buffers: tuple[Float[Tensor, "B H _ K"], Float[Tensor, "B H _ K"]]
    length: int
    taken: list[int]  # one number, how much of the buffers is used; all caches that share the buffers share this list

    @classmethod
    def of(cls, keys: Float[Tensor, "B H M K"], values: Float[Tensor, "B H M K"]) -> KVCache:
        """A cache of these keys and values, without spare room."""
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
        # Tensors with gradients must not be written into, and torch.compile fails on buffers with spare room.
        if torch.compiler.is_compiling() or not torch.is_inference_mode_enabled():
            return KVCache.of(torch.cat([self.keys, keys], dim=2), torch.cat([self.values, values], dim=2))
        new = keys.size(2)
        end = self.length + new
        cache = self if self.taken[0] == self.length and end <= self.buffers[0].size(2) else self._with_room(2 * end)
        cache.buffers[0].narrow(2, self.length, new).copy_(keys)
        cache.buffers[1].narrow(2, self.length, new).copy_(values)
        cache.taken[0] = end
        return KVCache(cache.buffers, end, cache.taken)

    def _with_room(self, size: int) -> KVCache:
        keys, values = (old.new_empty(*old.shape[:2], size, old.size(3)) for old in self.buffers)
        keys[:, :, : self.length], values[:, :, : self.length] = self.keys, self.values
        return KVCache((keys, values), self.length, [self.length])

    def select(self, rows: Int[Tensor, " R"]) -> KVCache:
        """The cache of these rows, in this order, with as much spare room."""
        keys, values = (buffer.index_select(0, rows) for buffer in self.buffers)
        return KVCache((keys, values), self.length, [self.length])
