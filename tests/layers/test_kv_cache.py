"""Keys and values grow in place, but every cache keeps showing what it had when it was made."""

import pytest
import torch

from seqlab.layers.kv_cache import KVCache

B, H, K = 3, 2, 5


def new(tokens, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, B, H, tokens, K, generator=generator)


def joined(*parts):
    return torch.cat(parts, dim=3)


def check(past, expected):
    assert past.length == expected.size(3)
    assert torch.equal(torch.stack([past.keys, past.values]), expected)


@pytest.fixture(params=["inference", "gradients"])
def mode(request):
    with torch.inference_mode(request.param == "inference"):
        yield


def test_a_cache_grows_token_by_token(mode):
    parts = [new(3, 0)] + [new(count, seed) for seed, count in enumerate([1] * 9 + [4, 1], 1)]
    past = KVCache.of(*parts[0])
    for count, part in enumerate(parts[1:], 2):
        past = past.then(*part)
        check(past, joined(*parts[:count]))


def test_several_caches_continue_from_one(mode):
    begin, first, second, third = new(3, 0), new(1, 1), new(1, 2), new(2, 3)
    trunk = KVCache.of(*begin).then(*first)
    left = trunk.then(*second)
    right = trunk.then(*third)
    further = left.then(*third)
    other = trunk.then(*second).then(*first)
    check(trunk, joined(begin, first))
    check(left, joined(begin, first, second))
    check(right, joined(begin, first, third))
    check(further, joined(begin, first, second, third))
    check(other, joined(begin, first, second, first))


def test_selected_rows_continue_independently(mode):
    begin, first, second = new(3, 0), new(1, 1), new(1, 2)
    trunk = KVCache.of(*begin).then(*first)
    rows = torch.tensor([2, 0, 0])
    chosen = trunk.select(rows)
    after, grown = trunk.then(*second), chosen.then(*second)
    check(chosen, joined(begin, first)[:, rows])
    check(grown, joined(joined(begin, first)[:, rows], second))
    check(after, joined(begin, first, second))


def test_without_gradients_appending_uses_the_spare_room():
    with torch.inference_mode():
        past = KVCache.of(*new(3, 0)).then(*new(1, 1))
        assert past.then(*new(1, 2)).buffers[0] is past.buffers[0]
        assert past.then(*new(1, 3)).buffers[0] is not past.buffers[0]  # taken


def test_gradients_reach_the_cached_tokens():
    begin, first = new(3, 0).requires_grad_(), new(1, 1).requires_grad_()
    past = KVCache.of(*begin).then(*first)
    (past.keys.sum() + 2 * past.values.sum()).backward()
    for part in (begin, first):
        assert torch.equal(part.grad, torch.tensor([1.0, 2.0])[:, None, None, None, None].expand_as(part))
