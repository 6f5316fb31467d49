"""Gated linear attention by chunks against a loop over positions, and its layer against the paper's formulas."""

import pytest
import torch

from seqlab.layers.gated_linear import CHUNK, LEAST_LOG_GATE, GatedLinearAttention, GatedLinearRecurrence

B, H, K, V = 2, 2, 3, 5
EXACT = {"rtol": 0, "atol": 1e-11}
LENGTHS = [1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 6]


def drawn(steps, dtype=torch.float64):
    """Queries, keys, values, logarithms of gates, and a first state."""
    generator = torch.Generator().manual_seed(steps)
    widths = K, K, V
    heads = [torch.randn(B, steps, H, width, generator=generator, dtype=torch.float64) for width in widths]
    log_gates = LEAST_LOG_GATE * torch.rand(B, steps, H, K, generator=generator, dtype=torch.float64)
    start = torch.randn(B, H, K, V, generator=generator, dtype=torch.float64)
    return tuple(values.to(dtype).requires_grad_() for values in (*heads, log_gates, start))


def slowly(queries, keys, values, log_gates, state):
    """S_t = diag(α_t) S_{t−1} + k_tᵀ v_t;  o_t = q_t S_t."""
    outputs = []
    for query, key, value, log_gate in zip(*(x.unbind(1) for x in (queries, keys, values, log_gates)), strict=True):
        state = torch.diag_embed(log_gate.exp()) @ state + key[..., :, None] @ value[..., None, :]
        outputs.append((query[..., None, :] @ state).squeeze(-2))
    return torch.stack(outputs, dim=1), state


def gradients(outputs, inputs):
    weights = torch.linspace(-1, 1, outputs.numel(), dtype=outputs.dtype).view_as(outputs)
    return torch.autograd.grad((outputs * weights).sum(), inputs)


@pytest.mark.parametrize("steps", LENGTHS)
def test_chunks_give_the_outputs_and_gradients_of_a_loop(steps):
    inputs = drawn(steps)
    outputs, last = GatedLinearRecurrence()(*inputs)
    expected, expected_last = slowly(*inputs)
    torch.testing.assert_close(outputs, expected, **EXACT)
    torch.testing.assert_close(last, expected_last, **EXACT)
    for found, right in zip(gradients(outputs, inputs), gradients(expected, inputs), strict=True):
        torch.testing.assert_close(found, right, **EXACT)


def test_going_on_from_a_state_is_reading_all_at_once():
    *parts, start = drawn(CHUNK + 9)
    outputs, last = GatedLinearRecurrence()(*parts, start)
    hidden, found = start, []
    for some in (slice(CHUNK + 4), slice(CHUNK + 4, CHUNK + 5), slice(CHUNK + 5, None)):
        part, hidden = GatedLinearRecurrence()(*(values[:, some] for values in parts), hidden)
        found.append(part)
    torch.testing.assert_close(torch.cat(found, dim=1), outputs, **EXACT)
    torch.testing.assert_close(hidden, last, **EXACT)


def test_the_smallest_gates_overflow_nothing_in_single_precision():
    queries, keys, values, log_gates, start = drawn(512, torch.float32)
    inputs = queries, keys, values, torch.full_like(log_gates, LEAST_LOG_GATE).requires_grad_(), start
    outputs, _ = GatedLinearRecurrence()(*inputs)
    expected, _ = slowly(*(values.detach().double() for values in inputs))
    torch.testing.assert_close(outputs.double(), expected, rtol=1e-4, atol=1e-4)
    for found, right in zip(gradients(outputs, inputs), gradients(slowly(*inputs)[0], inputs), strict=True):
        torch.testing.assert_close(found, right, rtol=1e-3, atol=1e-3)


def test_the_layer_is_the_papers_formula():
    torch.manual_seed(1)
    layer, inputs = GatedLinearAttention(12, 2, causal=True).double(), torch.randn(B, 5, 12, dtype=torch.float64)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-0.8, 0.8)
    parts = zip(*(x.split([6, 6, 12, 12, 16]) for x in (layer.inputs.weight, layer.inputs.bias)), strict=True)
    q, k, v, r, low_rank = (inputs @ weight.T + bias for weight, bias in parts)
    gates = (low_rank @ layer.gates.weight.T + layer.gates.bias).sigmoid() ** (1 / 16)
    heads = []
    for head in range(2):
        narrow, wide = slice(3 * head, 3 * head + 3), slice(6 * head, 6 * head + 6)
        read = (x[:, :, None, some] for x, some in ((q, narrow), (k, narrow), (v, wide), (gates.log(), narrow)))
        output = slowly(*read, torch.zeros(B, 1, 3, 6, dtype=torch.float64))[0].squeeze(2)
        centred = output - output.mean(-1, keepdim=True)
        normed = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        heads.append(normed * layer.norm.weight + layer.norm.bias)
    expected = (torch.cat(heads, dim=-1) * r * r.sigmoid()) @ layer.output.weight.T + layer.output.bias
    outputs, _ = layer.to_itself(inputs, torch.arange(5))
    torch.testing.assert_close(outputs, expected, **EXACT)


@pytest.mark.parametrize(
    ("heads", "causal", "message"),
    [(4, True, r"2 · heads must divide width \(12; .*\), but heads is 4"), (3, False, "must be even .*, but is 3")],
)
def test_heads_that_do_not_fit_are_refused(heads, causal, message):
    GatedLinearAttention(12, 3, causal=True)
    with pytest.raises(ValueError, match=message):
        GatedLinearAttention(12, heads, causal)
