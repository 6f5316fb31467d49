"""A state in fixed buffers goes on as a state that is made anew for each token."""

from dataclasses import dataclass, replace

import pytest
import torch

from seqlab.cuda_graphs import CaptureError
from seqlab.layers.fixed_state import FixedState, columns_for, form_of
from seqlab.layers.kv_cache import KVCache
from seqlab.layers.state import Sources, State
from seqlab.layers.transformer_blocks import ScaledDotProduct

B, H, K = 3, 2, 5
ROWS = torch.tensor([2, 0, 2])


@dataclass(frozen=True)
class Pair(State):
    """Two tensors, each of which becomes the other."""

    first: torch.Tensor
    second: torch.Tensor
    unchanging: torch.Tensor


def swapped(tokens, state):
    return state.first + tokens[:, None], replace(state, first=state.second[:], second=state.first)


def test_a_tensor_that_becomes_another_is_read_before_it_is_overwritten():
    state = Pair(*torch.arange(3.0 * B * 2).view(3, B, 2))
    fixed, tokens = FixedState(state, 0), torch.tensor([1, 10, 100])
    fixed.read(state)
    for step in range(4):
        expected, state = swapped(tokens * step, state)
        assert torch.equal(fixed.step(swapped, tokens * step), expected)
        state = state.select(ROWS)
        fixed.select(ROWS)


@dataclass(frozen=True)
class Cached(State):
    """Caches, and something that is kept once per source."""

    caches: tuple[KVCache, ...]
    sources: Sources


def cached(lengths, seed=0):
    generator = torch.Generator().manual_seed(seed)
    caches = (KVCache.of(*torch.randn(2, B, H, length, K, generator=generator)) for length in lengths)
    memory = torch.randn(2, B, 4, K, generator=generator)
    return Cached(tuple(caches), Sources(tuple(memory), torch.ones(B, 4, dtype=torch.bool)))


def attending(tokens, state):
    """Each cache takes a token and is attended to; what the caches have known in common is masked in turn."""
    contexts, caches = [], []
    for layer, cache in enumerate(state.caches):
        new = (tokens[:, None, None, None] + torch.arange(K) / (layer + 7)).expand(B, H, 1, K).sin()
        position, columns = cache.positions(1), cache.columns(1)
        cache = cache.then(new, new * 2 + position)
        mask = torch.arange(columns).ne(1).expand(B, -1) if layer else None
        contexts.append(cache.attended(ScaledDotProduct(causal=True), new, mask).flatten(1))
        caches.append(cache)
    return torch.cat(contexts, dim=1), replace(state, caches=tuple(caches))


@torch.inference_mode()
def test_caches_of_fixed_size_are_those_that_grow():
    fixed = FixedState(cached([3, 3]), 64)
    assert columns_for(cached([3, 3]), 61) == 64
    assert columns_for(cached([3, 3]), 62) == 128
    for seed, length in ((1, 5), (2, 3), (3, 4)):
        state = cached([length] * 2, seed)
        fixed.read(state)
        for step in range(5):
            tokens = torch.arange(B) + step
            expected, state = attending(tokens, state)
            torch.testing.assert_close(fixed.step(attending, tokens), expected)
            if step % 2:
                state = replace(state, caches=tuple(cache.select(ROWS) for cache in state.caches))
                fixed.select(ROWS)


@torch.inference_mode()
def test_what_does_not_fit_is_refused():
    with pytest.raises(CaptureError, match="the caches of a state have different lengths"):
        FixedState(cached([3, 4]), 64)
    state = cached([3])
    fixed = FixedState(state, 64)
    fixed.read(state)
    several, tokens = torch.zeros(B, H, 2, K), torch.zeros(B, dtype=torch.long)
    with pytest.raises(CaptureError, match="a cache of fixed size takes one token at a time, not 2"):
        fixed.step(lambda _, state: state.caches[0].then(several, several), tokens)
    with pytest.raises(CaptureError, match="a state holds a list"):
        form_of(replace(state, sources=[]))
    with pytest.raises(CaptureError, match="a state changes its form from token to token"):
        fixed.step(lambda _, state: (several, replace(state, caches=())), tokens)
