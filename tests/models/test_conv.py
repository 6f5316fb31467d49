"""The convolutional encoder–decoder against the paper's equations, one window of one row at a time."""

import math

import pytest
import torch

from seqlab.models.conv import Conv
from seqlab.special_tokens import BOS, PAD

V, W, D, E = 13, 17, 11, 7
SOURCE = torch.tensor([[4, 5, 6, 12, 4], [7, 8, 0, 0, 0], [9, 0, 0, 0, 0]])
LENGTHS = torch.tensor([5, 2, 1])
TARGET = torch.tensor([[BOS, 5, 6, 7, 8, 5, 11], [BOS, 9, 4, 4, 16, 4, 5], [BOS, 5, 5, 5, 5, 5, 5]])
HALF = math.sqrt(0.5)


def double(**settings):
    torch.manual_seed(7)
    model = Conv(V, W, width=D, embedding=E, max_positions=8, **settings)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-0.8, 0.8)
    return model.double().eval()


def gated(block, window):
    """v of one window of vectors; each position of the window has a separate matrix."""
    layer = block.convolution.convolution
    sums = sum(layer.weight[:, :, place] @ vector for place, vector in enumerate(window)) + layer.bias
    return sums[:D] * torch.sigmoid(sums[D:])


def embedded(side, ids):
    tokens, positions = side.tokens.table.weight, side.positions.table.weight
    return [tokens[token] + positions[place] for place, token in enumerate(ids)]


def read(model, ids):
    """The encoder's outputs z and the attention's values, over one source without padding."""
    inputs = embedded(model.source_input, ids)
    hidden = [model.encoder_input(e) for e in inputs]
    for block in model.encoder:
        reach = (block.convolution.convolution.weight.size(2) - 1) // 2
        nothing = [torch.zeros(D, dtype=torch.double)] * reach
        padded = [*nothing, *hidden, *nothing]
        hidden = [HALF * (x + gated(block, padded[i : i + 2 * reach + 1])) for i, x in enumerate(hidden)]
    keys = [model.encoder_output(x) for x in hidden]
    return keys, [HALF * (z + e) for z, e in zip(keys, inputs, strict=True)]


def last_logits(model, ids, keys, values):
    """Logits after the last token of a prefix, computed from scratch."""
    inputs = embedded(model.target_input, ids)
    hidden = [model.decoder_input(g) for g in inputs]
    for block in model.decoder:
        kernel = block.convolution.convolution.weight.size(2)
        padded = [torch.zeros(D, dtype=torch.double)] * (kernel - 1) + hidden
        outputs = []
        for i, (x, g) in enumerate(zip(hidden, inputs, strict=True)):
            h = gated(block, padded[i : i + kernel])
            d = HALF * (block.query.weight @ h + block.query.bias + g)
            shares = torch.stack([d @ z for z in keys]).softmax(0)
            m = len(keys)
            c = m * math.sqrt(1 / m) * sum(share * value for share, value in zip(shares, values, strict=True))
            outputs.append(HALF * (x + HALF * (h + block.context.weight @ c + block.context.bias)))
        hidden = outputs
    return model.output(model.decoder_output(hidden[-1]))


@pytest.mark.parametrize(
    "settings", [{"kernel": 3, "layers": 3}, {"kernel": 5, "layers": 2}, {"kernel": 1, "layers": 1}]
)
def test_conv_equals_the_papers_equations(settings):
    model = double(**settings)
    logits = model(SOURCE, LENGTHS, TARGET)
    for row, length in enumerate(LENGTHS):
        keys, values = read(model, SOURCE[row, :length])
        for t in range(TARGET.size(1)):
            expected = last_logits(model, TARGET[row, : t + 1], keys, values)
            torch.testing.assert_close(logits[row, t], expected, rtol=0, atol=1e-10)


def test_every_decoder_layer_has_its_own_attention():
    maps = double(layers=3).attention_maps(SOURCE, LENGTHS, TARGET)
    assert list(maps) == ["decoder.0.attention", "decoder.1.attention", "decoder.2.attention"]
    assert all(weights.shape == (3, 1, TARGET.size(1), SOURCE.size(1)) for weights in maps.values())
    assert not torch.allclose(maps["decoder.0.attention"], maps["decoder.2.attention"])


def test_activations_keep_their_variance_at_the_start():
    """What initialisation and scaling are for: neither dropout nor layers make outputs grow or vanish."""
    for dropout in (0.0, 0.5):
        torch.manual_seed(3)
        model = Conv(101, 103, width=128, embedding=128, layers=6, dropout=dropout).train()
        source = torch.randint(4, 101, (16, 13))
        shallow = Conv(101, 103, width=128, embedding=128, layers=1, dropout=dropout).train()
        deep, flat = (one.encode(source, torch.full((16,), 13)).sources.memory[0].std() for one in (model, shallow))
        assert 0.6 < deep / flat < 1.6


def test_a_tied_output_layer_is_the_table():
    model = Conv(V, W, width=D, embedding=E, tied=True)
    assert model.output.weight is model.target_input.tokens.table.weight
    assert model.output.weight[PAD].eq(0).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kernel": 4}, "kernel must be odd, but is 4"),
        ({"kernel": 0}, "kernel must be at least 1, but is 0"),
        ({"layers": 0}, "layers must be at least 1, but is 0"),
        ({"max_positions": 0}, "max_positions must be at least 1, but is 0"),
    ],
)
def test_a_bad_size_is_refused_by_its_name(settings, message):
    with pytest.raises(ValueError, match=message):
        Conv(V, W, **settings)
