"""The key/value caches of attention: one that grows, and one of fixed size.

B batch, H heads, M cached tokens, T new ones, R rows, K head width, C columns of a fixed cache.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from seqlab.cuda_graphs import CaptureError
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

    def attended(
        self, attention: Callable[..., Tensor], query: Float[Tensor, "B H T K"], mask: Bool[Tensor, "B M"] | None
    ) -> Float[Tensor, "B H T K"]:
        """The context of each query, by `attention(query, keys, values, mask)`."""
        return attention(query, self.keys, self.values, mask)

    def positions(self, new: int) -> Int[Tensor, " T"]:
        """The positions of the next `new` tokens."""
        return torch.arange(self.length, self.length + new, device=self.buffers[0].device)

    def columns(self, new: int) -> int:
        """The number of columns that are attended to after `new` more tokens."""
        return self.length + new

    def _with_room(self, size: int) -> KVCache:
        keys, values = (old.new_empty(*old.shape[:2], size, old.size(3)) for old in self.buffers)
        keys[:, :, : self.length], values[:, :, : self.length] = self.keys, self.values
        return KVCache((keys, values), self.length, [self.length])

    def select(self, rows: Int[Tensor, " R"]) -> KVCache:
        """The cache of these rows, in this order, with as much spare room."""
        keys, values = (buffer.index_select(0, rows) for buffer in self.buffers)
        return KVCache((keys, values), self.length, [self.length])


class Columns:
    """The columns of caches of fixed size that hold tokens, the same in all caches of a state.

    Attributes:
        next: the column of the next token.
        scores: 0 at columns that hold a token, −∞ at the others; added to the scores of attention.
    """

    next: Int[Tensor, " 1"]
    scores: Float[Tensor, "1 C"]

    def __init__(self, like: Tensor, count: int) -> None:
        self.next = torch.zeros(1, dtype=torch.long, device=like.device)
        self.scores = like.new_empty(1, count)

    def fill(self, length: int) -> None:
        """The first `length` columns hold tokens."""
        self.next.fill_(length)
        self.scores.fill_(-torch.inf)[:, :length] = 0.0

    def open(self) -> None:
        """The next column is going to hold a token."""
        self.scores.index_fill_(1, self.next, 0.0)

    def close(self) -> None:
        """The next column holds a token by now."""
        self.next.add_(1)


@dataclass(frozen=True)
class FixedKVCache:
    """Keys and values in buffers of fixed size, for captured work: appending a token writes into them.

    All columns are attended to, and those without a token masked, so that nothing depends on how many hold one. It has
    no keys, values or length that could be taken for those of a `KVCache`.
    """

    buffers: tuple[Float[Tensor, "B H C K"], Float[Tensor, "B H C K"]]
    held: Columns

    @classmethod
    def like(cls, cache: KVCache, columns: Columns) -> FixedKVCache:
        """An empty cache for a state with `cache`, of as many columns as `columns` has."""
        keys, values = (
            old.new_zeros(*old.shape[:2], columns.scores.size(1), old.size(3)).contiguous() for old in cache.buffers
        )
        return cls((keys, values), columns)

    def read(self, cache: KVCache) -> None:
        """Copies the tokens of `cache`; the other columns become zero, since a NaN would come through any mask."""
        for buffer, values in zip(self.buffers, (cache.keys, cache.values), strict=True):
            buffer[:, :, : cache.length] = values
            buffer[:, :, cache.length :] = 0.0

    def then(self, keys: Float[Tensor, "B H T K"], values: Float[Tensor, "B H T K"]) -> FixedKVCache:
        """This cache, with a token appended in place.

        Raises:
            CaptureError: there are several tokens.
        """
        if keys.size(2) != 1:
            raise CaptureError(f"a cache of fixed size takes one token at a time, not {keys.size(2)}")
        for buffer, new in zip(self.buffers, (keys, values), strict=True):
            buffer.index_copy_(2, self.held.next, new.to(buffer.dtype))
        return self

    def attended(
        self, _: Callable[..., Tensor], query: Float[Tensor, "B H 1 K"], mask: Bool[Tensor, "B C"] | None
    ) -> Float[Tensor, "B H 1 K"]:
        """The context of each query, by torch's scaled dot-product attention."""
        scores = self.held.scores.to(query.dtype)[:, None, None]
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, None], -torch.inf)
        return F.scaled_dot_product_attention(query, *self.buffers, attn_mask=scores)

    def positions(self, new: int) -> Int[Tensor, " 1"]:
        """The position of the next token."""
        assert new == 1
        return self.held.next

    def columns(self, new: int) -> int:
        """The number of columns that are attended to: all."""
        assert new == 1
        return self.held.scores.size(1)

    def select(self, rows: Int[Tensor, " B"]) -> None:
        """Reorders the rows in place; as many as there are."""
        for buffer in self.buffers:
            buffer.copy_(buffer.index_select(0, rows))


AnyKVCache = KVCache | FixedKVCache
