"""Additive attention: by hand, by its gradient, and blind to padding."""

import math

import torch

from seqlab.layers.attention import AdditiveAttention

B, S, Q, M, A = 2, 3, 5, 7, 11


def test_a_case_by_hand():
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


def test_gradcheck_in_double():
    torch.manual_seed(0)
    attention = AdditiveAttention(Q, M, A).double()
    query = torch.randn(B, Q, dtype=torch.double, requires_grad=True)
    memory = torch.randn(B, S, M, dtype=torch.double, requires_grad=True)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    assert torch.autograd.gradcheck(lambda q, m: attention(q, attention.keys(m), m, mask), (query, memory))


def test_what_lies_in_padding_does_not_matter():
    attention = AdditiveAttention(Q, M, A)
    query, memory = torch.randn(B, Q), torch.randn(B, S, M)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    changed = torch.where(mask[..., None], memory, torch.full_like(memory, 99.0))
    one, other = (attention(query, attention.keys(m), m, mask) for m in (memory, changed))
    torch.testing.assert_close(one, other)
