"""Parts of Transformers against plain loops and formulas."""

import math

import pytest
import torch
from torch.nn import functional as F

from seqlab.layers.state import Sources
from seqlab.layers.transformer_blocks import (
    Block,
    FeedForward,
    MultiHeadAttention,
    Residual,
    ScaledDotProduct,
)

B, T, S, D, H = 2, 5, 7, 12, 3
EXACT = {"rtol": 0, "atol": 1e-10}


def random_(module, seed=0):
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(-0.8, 0.8)
    return module.double()


def tensors(*shapes, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(*shape, dtype=torch.double, generator=generator) for shape in shapes]


def attend(query, keys, values):
    """One query of one head over a list of keys and values."""
    scores = [sum(q * k for q, k in zip(query.tolist(), key.tolist(), strict=True)) for key in keys]
    exponents = [math.exp(score / math.sqrt(len(query))) for score in scores]
    total = sum(exponents)
    return sum(e / total * value for e, value in zip(exponents, values, strict=True))


@pytest.mark.parametrize("known", [0, 2])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_scaled_dot_product_equals_a_loop(causal, padded, known):
    query, keys, values = tensors((B, H, T, 4), (B, H, known + T, 4), (B, H, known + T, 4))
    mask = torch.ones(B, known + T, dtype=torch.bool)
    mask[1, 1] = False
    got = ScaledDotProduct(causal)(query, keys, values, mask if padded else None)
    for b in range(B):
        for h in range(H):
            for t in range(T):
                seen = [m for m in range(known + T) if (not causal or m <= known + t) and (not padded or mask[b, m])]
                expected = attend(query[b, h, t], keys[b, h, seen], values[b, h, seen])
                torch.testing.assert_close(got[b, h, t], expected, **EXACT)


@pytest.mark.parametrize("causal", [False, True])
def test_its_weights_average_the_values_to_the_same_context(causal):
    core = ScaledDotProduct(causal)
    query, keys, values = tensors((B, H, T, 4), (B, H, T, 4), (B, H, T, 4))
    mask = torch.tensor([[True] * T, [True, True, True, False, False]])
    for padding in (None, mask):
        weights = core.weights(query, keys, padding)
        torch.testing.assert_close(weights @ values, core(query, keys, values, padding), **EXACT)
        torch.testing.assert_close(weights.sum(-1), torch.ones(B, H, T, dtype=torch.double), **EXACT)


@pytest.mark.parametrize("padded", [False, True])
def test_in_half_precision_gradients_are_nearly_those_in_double(padded):
    core = ScaledDotProduct(causal=True)
    exact = tensors((B, H, T, 4), (B, H, T, 4), (B, H, T, 4))
    mask = torch.tensor([[True] * T, [True, True, True, False, False]]) if padded else None
    inexact = [tensor.bfloat16().requires_grad_() for tensor in exact]
    core(*inexact, mask).sum().backward()
    core(*(tensor.requires_grad_() for tensor in exact), mask).sum().backward()
    for tensor, own in zip(exact, inexact, strict=True):
        torch.testing.assert_close(own.grad.double(), tensor.grad, rtol=0, atol=0.05)
        assert own.grad.abs().max() > 0.05


def test_gradcheck_of_the_attention_in_double():
    attention = random_(MultiHeadAttention(4, 2, causal=True, rotary=True, normalised=True))
    (inputs,) = tensors((B, 3, 4))
    inputs.requires_grad_()
    positions = torch.arange(3)
    assert torch.autograd.gradcheck(lambda x: attention.to_itself(x, positions)[0], inputs)
    memory = random_(MultiHeadAttention(4, 2, normalised=True))
    mask = torch.tensor([[True, True, True], [True, False, False]])
    assert torch.autograd.gradcheck(lambda x: memory.to_memory(x, Sources(memory.memory(x), mask)), inputs)


def test_self_attention_equals_torchs():
    own = random_(MultiHeadAttention(D, H, causal=True))
    torchs = torch.nn.MultiheadAttention(D, H, batch_first=True, dtype=torch.double)
    torchs.load_state_dict(
        {
            "in_proj_weight": own.inputs.weight,
            "in_proj_bias": own.inputs.bias,
            "out_proj.weight": own.output.weight,
            "out_proj.bias": own.output.bias,
        }
    )
    (inputs,) = tensors((B, T, D))
    later = torch.ones(T, T, dtype=torch.bool).triu(1)
    expected, _ = torchs(inputs, inputs, inputs, attn_mask=later)
    torch.testing.assert_close(own.to_itself(inputs, torch.arange(T))[0], expected, **EXACT)


def test_attention_to_a_memory_equals_torchs():
    own = random_(MultiHeadAttention(D, H))
    torchs = torch.nn.MultiheadAttention(D, H, batch_first=True, dtype=torch.double)
    torchs.in_proj_weight, torchs.in_proj_bias = own.inputs.weight, own.inputs.bias
    torchs.out_proj.weight, torchs.out_proj.bias = own.output.weight, own.output.bias
    inputs, memory = tensors((B, T, D), (B, S, D))
    mask = torch.arange(S) < torch.tensor([[S], [3]])
    expected, _ = torchs(inputs, memory, memory, key_padding_mask=~mask)
    torch.testing.assert_close(own.to_memory(inputs, Sources(own.memory(memory), mask)), expected, **EXACT)


def test_normalised_queries_and_keys_ignore_the_scale_of_their_projections():
    attention = random_(MultiHeadAttention(D, H, normalised=True))
    (inputs,) = tensors((B, T, D))
    before, _ = attention.to_itself(inputs, torch.arange(T))
    with torch.no_grad():
        attention.inputs.weight[: 2 * D] *= 9
        attention.inputs.bias[: 2 * D] *= 9
    torch.testing.assert_close(attention.to_itself(inputs, torch.arange(T))[0], before, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("activation", "function"),
    [
        ("relu", lambda x: max(0.0, x)),
        ("gelu", lambda x: x * 0.5 * (1 + math.erf(x / math.sqrt(2)))),
        ("squared_relu", lambda x: max(0.0, x) ** 2),
    ],
)
def test_feed_forward_layers_are_their_formulas(activation, function):
    layer = random_(FeedForward(3, 5, activation))
    (inputs,) = tensors((1, 2, 3))
    for t in range(2):
        inner = [function(x) for x in (layer.inner.weight @ inputs[0, t] + layer.inner.bias).tolist()]
        expected = layer.outer.weight @ torch.tensor(inner, dtype=torch.double) + layer.outer.bias
        torch.testing.assert_close(layer(inputs)[0, t], expected, **EXACT)


def test_swiglu_is_its_formula():
    layer = random_(FeedForward(3, 5, "swiglu"))
    (inputs,) = tensors((1, 2, 3))
    w1, w3 = layer.inner.weight.split(5)
    b1, b3 = layer.inner.bias.split(5)
    for t in range(2):
        gate, value = w1 @ inputs[0, t] + b1, w3 @ inputs[0, t] + b3
        expected = layer.outer.weight @ (gate / (1 + torch.exp(-gate)) * value) + layer.outer.bias
        torch.testing.assert_close(layer(inputs)[0, t], expected, **EXACT)


@pytest.mark.parametrize("norm", ["pre", "post", "both"])
def test_norms_are_where_the_scheme_says(norm):
    residual = Residual(D, norm, 0.0).double()
    (inputs,) = tensors((B, T, D))

    def part(x):
        return 3 * x + 1

    def normed(x):
        return F.layer_norm(x, (D,))

    expected = {
        "pre": inputs + part(normed(inputs)),
        "post": normed(inputs + part(inputs)),
        "both": inputs + normed(part(normed(inputs))),
    }
    torch.testing.assert_close(residual.after(inputs, part(residual.before(inputs))), expected[norm], **EXACT)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"heads": 5}, r"heads must divide width \(12\), but is 5"),
        ({"heads": 0}, "heads must be at least 1"),
        ({"rotary": True, "heads": 4}, "rotary positions need an even width per head, but 12 / 4 is 3"),
        ({"activation": "tanh"}, "activation must be one of relu, gelu, swiglu, squared_relu, but is 'tanh'"),
        ({"norm": "none"}, "norm must be one of pre, post, both, but is 'none'"),
        ({"feed_forward": 0}, "feed_forward must be at least 1"),
        ({"width": 0}, "width must be at least 1, but is 0"),
        ({"width": 0, "mixer": "min_gru"}, "width must be at least 1, but is 0"),
        ({"mixer": "mamba"}, "mixer must be one of attention, min_gru, gated_linear, but is 'mamba'"),
        ({"mixer": "min_gru", "rotary": True}, "positions=rotary .* mixer=min_gru replaces: choose learned or"),
    ],
)
def test_bad_settings_are_refused_with_their_values(settings, message):
    good = {"heads": 3, "feed_forward": 5, "activation": "relu", "norm": "pre", "dropout": 0.0, "causal": True}
    Block(D, **good)
    with pytest.raises(ValueError, match=message):
        Block(**{"width": D, **good, **settings})


def test_a_feed_forward_layer_refuses_a_width_below_one():
    with pytest.raises(ValueError, match="width must be at least 1, but is 0"):
        FeedForward(0, 5, "relu")
