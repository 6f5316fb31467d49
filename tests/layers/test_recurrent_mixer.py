"""What recurrent mixers have in common: directions, padding, the state, and half precision."""

import pytest
import torch

from seqlab.layers.gated_linear import GatedLinearAttention
from seqlab.layers.min_gru import MinGRU

B, T, D, H = 3, 7, 12, 2
EXACT = {"rtol": 0, "atol": 1e-11}
REAL = torch.arange(T) < torch.tensor([7, 4, 0])[:, None]


@pytest.fixture(params=[MinGRU, GatedLinearAttention])
def kind(request):
    """A recurrent mixer."""
    return request.param


def random_(mixer):
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter.uniform_(-0.8, 0.8)
    return mixer.double()


def inputs(steps=T, rows=B):
    return torch.randn(rows, steps, D, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


def test_in_an_encoder_half_of_it_reads_each_row_backward_from_its_end(kind):
    mixer, values = random_(kind(D, H, causal=False)), inputs()
    together, _ = mixer.to_itself(values, torch.arange(T), REAL)
    for row, length in enumerate((7, 4)):
        projected = mixer.inputs(values[row : row + 1, :length])
        parts, start = mixer.parts(projected, None), mixer.start(1, projected)
        halves = []
        for half, order in enumerate((torch.arange(length), torch.arange(length).flip(0))):
            of_half = (part.chunk(2, dim=2)[half][:, order] for part in parts)
            halves.append(mixer.core(*of_half, start.chunk(2, dim=1)[half])[0][:, order])
        expected = mixer.output(mixer.finished(torch.cat(halves, dim=2), projected))
        torch.testing.assert_close(together[row : row + 1, :length], expected, **EXACT)


def test_padding_leaves_the_state_as_it_is(kind):
    mixer, values = random_(kind(D, H, causal=True)), inputs()
    _, state = mixer.to_itself(values, torch.arange(T), REAL)
    assert state.count.tolist() == [7, 4, 0]
    assert state.positions(2).tolist() == [[7, 8], [4, 5], [0, 1]]
    for row, length in enumerate((7, 4)):
        _, alone = mixer.to_itself(values[row : row + 1, :length], torch.arange(length))
        torch.testing.assert_close(state.hidden[row : row + 1], alone.hidden, **EXACT)
    torch.testing.assert_close(state.hidden[2:], mixer.start(1, values), rtol=0, atol=1e-15)


def test_gradients_do_not_come_from_padding(kind):
    mixer, values = random_(kind(D, H, causal=False)), inputs().requires_grad_()
    outputs, _ = mixer.to_itself(values, torch.arange(T), REAL)
    (gradient,) = torch.autograd.grad(outputs[REAL].square().sum(), values)
    assert (gradient[~REAL] == 0).all()
    assert (gradient[REAL] != 0).all()


def test_512_positions_in_half_precision_are_finite_and_the_state_is_in_single(kind):
    mixer, values = random_(kind(D, H, causal=True)).float(), inputs(512).float().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        outputs, state = mixer.to_itself(values, torch.arange(512))
    assert (outputs.dtype, state.hidden.dtype) == (torch.bfloat16, torch.float32)
    outputs.float().square().sum().backward()
    for tensor in (outputs, state.hidden, values.grad, *(parameter.grad for parameter in mixer.parameters())):
        assert tensor.isfinite().all()
    exact, _ = mixer.to_itself(values, torch.arange(512))
    assert (outputs.float() - exact).square().mean().sqrt() < 0.03 * exact.square().mean().sqrt()
