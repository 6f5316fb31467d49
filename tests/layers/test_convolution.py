"""Gated convolutions and multi-step attention: computed by hand, with gradients checked, independent of padding."""

import math

import pytest
import torch

from seqlab.layers.convolution import DecoderBlock, EncoderBlock, GatedConvolution, MultiStepAttention
from seqlab.layers.state import Sources

B, S, T, D, E, K = 2, 3, 5, 7, 11, 3
MASK = torch.tensor([[True, True, True], [True, False, False]])


def drawn(*shape):
    return torch.randn(*shape, dtype=torch.double, requires_grad=True)


def test_a_gated_convolution_by_hand():
    layer = GatedConvolution(1, 2)
    with torch.no_grad():
        layer.convolution.weight.copy_(torch.tensor([[[1.0, 10.0]], [[0.5, -1.0]]]))
        layer.convolution.bias.copy_(torch.tensor([0.25, 2.0]))
    outputs = layer(torch.tensor([[[3.0], [4.0], [5.0]]]))
    gate = [1 / (1 + math.exp(-x)) for x in (0.5 * 3 - 4 + 2, 0.5 * 4 - 5 + 2)]
    torch.testing.assert_close(outputs, torch.tensor([[[43.25 * gate[0]], [54.25 * gate[1]]]]))


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_single_window_gives_the_same_as_among_others(kernel):
    layer = GatedConvolution(D, kernel).double()
    inputs = drawn(B, 9, D)
    together = layer(inputs)
    alone = [layer(inputs[:, i : i + kernel]) for i in range(together.size(1))]
    torch.testing.assert_close(torch.cat(alone, dim=1), together, rtol=0, atol=1e-10)


def test_attention_by_hand():
    keys = torch.tensor([[[1.0, 0.0], [0.0, 2.0], [9.0, 9.0]]])
    values = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [9.0, 9.0]]])
    mask = torch.tensor([[True, True, False]])
    query = torch.tensor([[[0.5, 0.25], [3.0, -1.0]]])
    first = 1 / 2, 1 / 2  # both scores are ½
    second = 1 / (1 + math.exp(-5)), 1 / (1 + math.exp(5))  # scores 3 and −2
    attention = MultiStepAttention()
    torch.testing.assert_close(attention.weights(query, keys, mask), torch.tensor([[[*first, 0.0], [*second, 0.0]]]))
    expected = math.sqrt(2) * torch.tensor([[first, second]])
    torch.testing.assert_close(attention(query, keys, values, mask), expected)


def test_gradcheck_of_the_attention():
    attend = MultiStepAttention()
    assert torch.autograd.gradcheck(
        lambda *given: attend(*given, MASK), (drawn(B, T, E), drawn(B, S, E), drawn(B, S, E))
    )


def test_gradcheck_of_the_encoder_block():
    block = EncoderBlock(D, K).double()
    assert torch.autograd.gradcheck(lambda inputs: block(inputs, MASK), (drawn(B, S, D),))


@pytest.mark.parametrize("steps", [1, T])
def test_gradcheck_of_the_decoder_block(steps):
    block = DecoderBlock(D, E, K).double()
    given = drawn(B, steps, D), drawn(B, K - 1, D), drawn(B, steps, E), drawn(B, S, E), drawn(B, S, E)
    assert torch.autograd.gradcheck(lambda *given: block(*given[:3], Sources(given[3:], MASK)), given)


def test_padding_does_not_matter():
    block, attend = EncoderBlock(D, 5), MultiStepAttention()
    inputs, query = torch.randn(B, S, D), torch.randn(B, T, D)
    changed = torch.where(MASK[..., None], inputs, torch.full_like(inputs, 99.0))
    torch.testing.assert_close(block(changed, MASK)[MASK], block(inputs, MASK)[MASK])
    torch.testing.assert_close(attend(query, changed, changed, MASK), attend(query, inputs, inputs, MASK))


def test_dropout_is_applied_to_the_inputs_of_a_convolution():
    torch.manual_seed(0)
    layer = GatedConvolution(1, 1, dropout=0.5).train()
    outputs = layer(torch.ones(1, 100, 1)).flatten()
    assert outputs.unique().numel() == 2  # an input is there, twice as large, or not at all


@pytest.mark.parametrize("block", [GatedConvolution(D, K), EncoderBlock(D, K), DecoderBlock(D, E, K)])
def test_nothing_is_dropped_by_default(block):
    assert {part.p for part in block.modules() if isinstance(part, torch.nn.Dropout)} <= {0.0}
