"""Attention scores: computed by hand, with gradients checked, and independent of padding."""

import math

import pytest
import torch

from seqlab.layers.attention import AdditiveAttention, DotAttention, GeneralAttention

B, S, T, Q, M, A = 2, 3, 5, 7, 11, 13


def test_the_additive_score_by_hand():
    attention = AdditiveAttention(1, 1, 1)
    with torch.no_grad():
        attention.query.weight.fill_(1.0)
        attention.keys.weight.fill_(2.0)
        attention.keys.bias.fill_(0.0)
        attention.score.weight.fill_(3.0)
    memory = torch.tensor([[[0.0], [0.5], [9.0]]])
    mask = torch.tensor([[True, True, False]])
    query = torch.tensor([[0.25]])
    weights = attention.weights(query, attention.keys(memory), mask)
    context = attention(query, attention.keys(memory), memory, mask)
    first, second = math.exp(3 * math.tanh(0.25)), math.exp(3 * math.tanh(0.25 + 2 * 0.5))
    expected = torch.tensor([[first, second, 0.0]]) / (first + second)
    torch.testing.assert_close(weights, expected)
    torch.testing.assert_close(context, expected[:, 1:2] * 0.5)


def test_the_dot_score_by_hand():
    memory = torch.tensor([[[1.0, 2.0], [3.0, -1.0], [9.0, 9.0]]])
    attention, query, mask = DotAttention(), torch.tensor([[2.0, 0.5]]), torch.tensor([[True, True, False]])
    first, second = math.exp(2 * 1 + 0.5 * 2), math.exp(2 * 3 - 0.5 * 1)
    expected = torch.tensor([[first, second, 0.0]]) / (first + second)
    torch.testing.assert_close(attention.weights(query, attention.keys(memory), mask), expected)
    context = attention(query, attention.keys(memory), memory, mask)
    torch.testing.assert_close(context, expected[:, :1] * memory[:, 0] + expected[:, 1:2] * memory[:, 1])


def test_the_general_score_by_hand():
    attention = GeneralAttention(2, 3)
    with torch.no_grad():
        attention.key.weight.copy_(torch.tensor([[0.1, 0.0, 0.2], [0.0, -0.3, 0.0]]))
    memory = torch.tensor([[[1.0, 2.0, 3.0], [0.0, 1.0, -1.0], [9.0, 9.0, 9.0]]])
    query, mask = torch.tensor([[2.0, 5.0]]), torch.tensor([[True, True, False]])
    first = math.exp(2 * (0.1 * 1 + 0.2 * 3) + 5 * (-0.3 * 2))
    second = math.exp(2 * (0.2 * -1) + 5 * (-0.3 * 1))
    expected = torch.tensor([[first, second, 0.0]]) / (first + second)
    torch.testing.assert_close(attention.weights(query, attention.keys(memory), mask), expected)


def test_the_concat_score_by_hand():
    """v·tanh(W_a [q; m]) with W_a = [[1, 0.5, 0], [0, -1, 2]], of a query of one number and a memory of two."""
    attention = AdditiveAttention(1, 2, 2)
    with torch.no_grad():
        attention.query.weight.copy_(torch.tensor([[1.0], [0.0]]))
        attention.keys.weight.copy_(torch.tensor([[0.5, 0.0], [-1.0, 2.0]]))
        attention.keys.bias.fill_(0.0)
        attention.score.weight.copy_(torch.tensor([[3.0, -2.0]]))
    memory = torch.tensor([[[1.0, 0.25], [-2.0, 0.5], [9.0, 9.0]]])
    query, mask = torch.tensor([[0.75]]), torch.tensor([[True, True, False]])
    first = math.exp(3 * math.tanh(0.75 + 0.5) - 2 * math.tanh(-1 + 0.5))
    second = math.exp(3 * math.tanh(0.75 - 1) - 2 * math.tanh(2 + 1))
    expected = torch.tensor([[first, second, 0.0]]) / (first + second)
    torch.testing.assert_close(attention.weights(query, attention.keys(memory), mask), expected)


def test_additive_weights_in_half_precision_are_nearly_those_in_double():
    torch.manual_seed(0)
    attention = AdditiveAttention(Q, M, A).double()
    with torch.no_grad():
        attention.score.weight.mul_(5)
    query, memory, mask = torch.randn(B, T, Q).double(), torch.randn(B, S, M).double(), torch.ones(B, S).bool()
    exact = attention.weights(query, attention.keys(memory), mask)
    assert exact.std() > 0.05  # they are not all equal
    query, memory = query.bfloat16(), memory.bfloat16()
    rounded = attention.bfloat16().weights(query, attention.keys(memory), mask)
    torch.testing.assert_close(rounded.double(), exact, rtol=0, atol=0.02)


def test_additive_scores_are_computed_in_parts_on_a_cpu_only(monkeypatch):
    monkeypatch.setattr("seqlab.layers.attention.AT_ONCE", 1)
    for device, parts in ("cpu", [1] * T), ("meta", [T]):
        attention, asked = AdditiveAttention(Q, M, A).to(device), []

        def scores(some, keys, own=attention._scores, asked=asked):
            asked.append(some.size(1))
            return own(some, keys)

        monkeypatch.setattr(attention, "_scores", scores)
        attention.scores(torch.randn(B, T, Q, device=device), torch.randn(B, S, A, device=device))
        assert asked == parts


KINDS = {
    "additive": lambda: AdditiveAttention(Q, M, A),
    "dot": DotAttention,
    "general": lambda: GeneralAttention(Q, M),
}


@pytest.fixture(params=KINDS)
def attention(request):
    torch.manual_seed(0)
    return KINDS[request.param]().double()


@pytest.fixture
def query_width(attention):
    return M if type(attention) is DotAttention else Q


@pytest.mark.parametrize("steps", [(), (T,)])
def test_gradcheck_in_double(attention, query_width, steps):
    query = torch.randn(B, *steps, query_width, dtype=torch.double, requires_grad=True)
    memory = torch.randn(B, S, M, dtype=torch.double, requires_grad=True)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    parameters = tuple(attention.parameters())

    def context(query, memory, *_):
        return attention(query, attention.keys(memory), memory, mask)

    assert torch.autograd.gradcheck(context, (query, memory, *parameters))


@pytest.mark.parametrize("at_once", [1, 2 * B * S * A, 2**21])
def test_all_steps_at_once_equal_single_steps(attention, query_width, at_once, monkeypatch):
    monkeypatch.setattr("seqlab.layers.attention.AT_ONCE", at_once)
    queries = torch.randn(B, T, query_width, dtype=torch.double)
    memory = torch.randn(B, S, M, dtype=torch.double)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    keys = attention.keys(memory)
    together = attention(queries, keys, memory, mask), attention.weights(queries, keys, mask)
    for t in range(T):
        for one, all_steps in zip(
            (attention(queries[:, t], keys, memory, mask), attention.weights(queries[:, t], keys, mask)),
            together,
            strict=True,
        ):
            torch.testing.assert_close(one, all_steps[:, t], rtol=0, atol=1e-10)


def test_padding_does_not_matter(attention, query_width):
    query, memory = torch.randn(B, query_width, dtype=torch.double), torch.randn(B, S, M, dtype=torch.double)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    changed = torch.where(mask[..., None], memory, torch.full_like(memory, 99.0))
    one, other = (attention(query, attention.keys(m), m, mask) for m in (memory, changed))
    torch.testing.assert_close(one, other, rtol=0, atol=1e-10)
