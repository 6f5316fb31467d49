"""The minimal GRU's scan over all positions against a loop over them, and its layer against the paper's formulas."""

import pytest
import torch

from seqlab.layers.min_gru import MinGRU, MinGRURecurrence, positive

B, N = 2, 3
EXACT = {"rtol": 0, "atol": 1e-11}


def drawn(steps, scale=4.0, dtype=torch.float64):
    """Gates, candidates and a first state."""
    generator = torch.Generator().manual_seed(steps)
    gates, candidates = scale * torch.randn(2, B, steps, N, generator=generator, dtype=torch.float64)
    start = torch.rand(B, N, generator=generator, dtype=torch.float64) + 0.1
    return tuple(values.to(dtype).requires_grad_() for values in (gates, candidates, start))


def slowly(gates, candidates, hidden):
    """h_t = (1 − z_t) h_{t−1} + z_t g(x_t)."""
    states = []
    for gate, candidate in zip(gates.unbind(1), candidates.unbind(1), strict=True):
        update = 1 / (1 + (-gate).exp())
        new = torch.where(candidate >= 0, candidate + 0.5, 1 / (1 + (-candidate).exp()))
        hidden = (1 - update) * hidden + update * new
        states.append(hidden)
    return torch.stack(states, dim=1)


def gradients(states, inputs):
    weights = torch.linspace(-1, 1, states.numel(), dtype=states.dtype).view_as(states)
    return torch.autograd.grad((states * weights).sum(), inputs)


@pytest.mark.parametrize("steps", [1, 2, 37])
def test_the_scan_gives_the_states_and_gradients_of_a_loop(steps):
    inputs = drawn(steps)
    states, last = MinGRURecurrence()(*inputs)
    expected = slowly(*inputs)
    torch.testing.assert_close(states, expected, **EXACT)
    torch.testing.assert_close(last, expected[:, -1], **EXACT)
    for found, right in zip(gradients(states, inputs), gradients(expected, inputs), strict=True):
        torch.testing.assert_close(found, right, **EXACT)


def test_going_on_from_a_state_is_reading_all_at_once():
    gates, candidates, start = drawn(9)
    states, last = MinGRURecurrence()(gates, candidates, start)
    hidden, parts = start, []
    for some in (slice(4), slice(4, 5), slice(5, 9)):
        part, hidden = MinGRURecurrence()(gates[:, some], candidates[:, some], hidden)
        parts.append(part)
    torch.testing.assert_close(torch.cat(parts, dim=1), states, **EXACT)
    torch.testing.assert_close(hidden, last, **EXACT)


@pytest.mark.parametrize("scale", [1.0, 4.0, 40.0])
def test_512_positions_in_single_precision_are_those_in_double(scale):
    """A product of all gates would be below e^−300 with the smallest scale, and single precision ends at e^−103."""
    inputs = drawn(512, scale, torch.float32)
    states, _ = MinGRURecurrence()(*inputs)
    doubles = tuple(values.detach().double().requires_grad_() for values in inputs)
    expected = slowly(*doubles)
    torch.testing.assert_close(states.double(), expected, rtol=1e-5, atol=1e-6)
    for found, right in zip(gradients(states, inputs), gradients(expected, doubles), strict=True):
        torch.testing.assert_close(found.double(), right, rtol=1e-3, atol=1e-4)


def test_a_gate_of_minus_infinity_leaves_the_state_as_it_is():
    gates, candidates, start = drawn(6)
    shut = gates.detach().clone()
    shut[:, 2:5] = -torch.inf
    states, _ = MinGRURecurrence()(shut, candidates, start)
    assert (states[:, 2:5] == states[:, 1:2]).all()
    kept = [0, 1, 5]
    torch.testing.assert_close(
        states[:, kept], MinGRURecurrence()(gates[:, kept], candidates[:, kept], start)[0], **EXACT
    )


def test_g_is_positive_and_continuous():
    values = torch.tensor([-800.0, -2.0, -1e-9, 0.0, 3.0], dtype=torch.float64)
    expected = torch.tensor([0.0, 1 / (1 + torch.e**2), 0.5, 0.5, 3.5], dtype=torch.float64)
    torch.testing.assert_close(positive(values), expected, rtol=0, atol=1e-8)


def test_the_layer_is_the_papers_formula():
    torch.manual_seed(1)
    layer, inputs = MinGRU(12, 1, causal=True).double(), torch.randn(B, 5, 12, dtype=torch.float64)
    (gate, candidate), (gate_bias, candidate_bias) = layer.inputs.weight.chunk(2), layer.inputs.bias.chunk(2)
    start = torch.full((B, 16), 0.5, dtype=torch.float64)
    states = slowly(inputs @ gate.T + gate_bias, inputs @ candidate.T + candidate_bias, start)
    outputs, _ = layer.to_itself(inputs, torch.arange(5))
    torch.testing.assert_close(outputs, states @ layer.output.weight.T + layer.output.bias, **EXACT)
