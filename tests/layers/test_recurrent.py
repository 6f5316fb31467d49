"""Recurrent layers against torch's cells, step by step."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seqlab.layers.attention import padding_mask
from seqlab.layers.packing import Packing
from seqlab.layers.recurrent import GRUCell, LSTMCell, Recurrent, RecurrentCells, reversed_rows

B, T, E, D = 3, 5, 7, 11
LENGTHS = torch.tensor([5, 1, 3])


def copied(cell, reference):
    """`cell` with the weights of torch's `reference` cell."""
    with torch.no_grad():
        cell.inputs.weight.copy_(reference.weight_ih)
        cell.inputs.bias.copy_(reference.bias_ih)
        cell.recurrent.weight.copy_(reference.weight_hh)
        cell.recurrent.bias.copy_(reference.bias_hh)
    return cell.double()


@pytest.mark.parametrize(("own", "torchs"), [(LSTMCell, nn.LSTMCell), (GRUCell, nn.GRUCell)])
def test_a_cell_equals_torchs(own, torchs):
    torch.manual_seed(0)
    reference = torchs(E, D).double()
    cell = copied(own(E, D), reference)
    x = torch.randn(B, E, dtype=torch.double)
    hidden = tuple(torch.randn(B, D, dtype=torch.double) for _ in range(2 if own is LSTMCell else 1))
    expected = reference(x, hidden if own is LSTMCell else hidden[0])
    for one, other in zip(cell(cell.inputs(x), hidden), expected if own is LSTMCell else (expected,), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_lengths_stop_each_row_at_its_end(cell):
    torch.manual_seed(1)
    layer = Recurrent(cell, E, D, layers=2).double()
    inputs = torch.randn(B, T, E, dtype=torch.double)
    outputs, hidden = layer(inputs, lengths=LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        alone, end = layer(inputs[row : row + 1, :length])
        torch.testing.assert_close(outputs[row, :length], alone[0], rtol=0, atol=1e-10)
        for one, other in zip(hidden, end, strict=True):
            torch.testing.assert_close(one[row], other[0], rtol=0, atol=1e-10)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_outputs_at_skipped_positions_may_be_anything(cell):
    torch.manual_seed(3)
    layer = Recurrent(cell, E, D, layers=2).double()
    inputs = torch.randn(B, T, E, dtype=torch.double)
    real = padding_mask(LENGTHS, T)
    outputs, _ = layer(inputs, packing=Packing.of(real))
    torch.testing.assert_close(outputs[real], layer(inputs)[0][real], rtol=0, atol=1e-10)
    assert (outputs[~real] == 0).all() == (cell == "gru")  # which did not compute them


@pytest.mark.parametrize(("bidirectional", "started"), [(False, False), (False, True), (True, False), (True, True)])
def test_an_lstm_passes_through_padding_as_if_it_were_packed(bidirectional, started):
    torch.manual_seed(4)
    layer = Recurrent("lstm", E, D, layers=2, bidirectional=bidirectional).double()
    inputs = torch.randn(B, T, E, dtype=torch.double, requires_grad=True)
    states = 4 if bidirectional else 2
    start = tuple(torch.randn(B, states, D, dtype=torch.double) for _ in range(2)) if started else None
    packed = pack_padded_sequence(inputs, LENGTHS, batch_first=True, enforce_sorted=False)
    packed_outputs, end = layer.rnn(packed, start and tuple(h.transpose(0, 1).contiguous() for h in start))
    expected = [pad_packed_sequence(packed_outputs, batch_first=True)[0], *(h.transpose(0, 1) for h in end)]
    outputs, hidden = layer(inputs, start, LENGTHS)
    for one, other in zip([outputs, *hidden], expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)
    learnt = [inputs, *layer.parameters()]
    mine, theirs = (
        torch.autograd.grad(sum((part**3).sum() for part in parts), learnt) for parts in ([outputs, *hidden], expected)
    )
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-9)


def packed(layer, inputs, start, lengths):
    """Outputs and states of torch's layer on the packed rows; an empty row counts as one step."""
    rows = pack_padded_sequence(inputs, lengths.clamp(min=1), batch_first=True, enforce_sorted=False)
    outputs, end = layer.rnn(rows, start and (start if len(start) == 2 else start[0]))
    padded, _ = pad_packed_sequence(outputs, batch_first=True, total_length=T)
    return [padded, *(end if isinstance(end, tuple) else [end])]


def first_states(cell, layers, bidirectional, **settings):
    count = layers * (2 if bidirectional else 1)
    return tuple(torch.randn(count, B, D, **settings) for _ in range(2 if cell == "lstm" else 1))


@pytest.mark.parametrize("started", [False, True], ids=["from zeros", "started"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "both"])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("lengths", [[T, 1, 3], [0, T, 2], [0, 1, 0], [T, T, T]], ids=str)
def test_what_a_device_computes_through_padding_equals_packed_rows(cell, layers, bidirectional, started, lengths):
    torch.manual_seed(4)
    layer = Recurrent(cell, E, D, layers, bidirectional=bidirectional).double()
    for parameter in layer.parameters():
        torch.nn.init.uniform_(parameter, -0.7, 0.7)
    inputs = torch.randn(B, T, E, dtype=torch.double, requires_grad=True)
    start = first_states(cell, layers, bidirectional, dtype=torch.double, requires_grad=True) if started else None
    expected = packed(layer, inputs, start, torch.tensor(lengths))
    outputs, hidden = layer._through_padding(inputs, start, torch.tensor(lengths).clamp(min=1))
    for one, other in zip([outputs, *hidden], expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    learnt = [inputs, *layer.parameters(), *(start or ())]
    mine, theirs = (
        torch.autograd.grad(sum((part**3).sum() for part in parts), learnt) for parts in ([outputs, *hidden], expected)
    )
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("started", [False, True], ids=["from zeros", "started"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "both"])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_in_half_precision_gates_hold_in_padding_too(cell, bidirectional, started):
    torch.manual_seed(4)
    layer = Recurrent(cell, E, D, 2, bidirectional=bidirectional)
    inputs = torch.randn(B, T, E)
    start = first_states(cell, 2, bidirectional) if started else None
    exact = packed(layer, inputs, start, LENGTHS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs, hidden = layer._through_padding(inputs, start, LENGTHS)
    for one, other in zip([outputs, *hidden], exact, strict=True):
        torch.testing.assert_close(one.float(), other, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_dropout_on_a_device_is_torchs_own_and_lies_between_layers(cell):
    """Its random numbers come from torch's generator, whose state checkpoints keep: the same seed drops the same."""
    layer = Recurrent(cell, E, D, layers=2, dropout=0.5)
    inputs = torch.randn(B, T, E)
    torch.testing.assert_close(layer.eval()._run_on_device(inputs, None), layer._run(inputs, None))
    torch.manual_seed(7)
    outputs, hidden = layer.train()._run_on_device(inputs, None)
    lower, upper = Recurrent(cell, E, D), Recurrent(cell, D, D)
    weights = layer.rnn.state_dict()
    lower.rnn.load_state_dict({name: weights[name] for name in lower.rnn.state_dict()})
    upper.rnn.load_state_dict({name: weights[name.replace("l0", "l1")] for name in upper.rnn.state_dict()})
    between, _ = lower(inputs)
    torch.manual_seed(7)
    expected, end = upper(nn.functional.dropout(between, 0.5))
    torch.testing.assert_close(outputs, expected)
    torch.testing.assert_close(hidden[0][1], end[0][:, 0])


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("width", [D, 257], ids=["narrow", "wide"])
def test_in_half_precision_padding_makes_no_difference_either(cell, width):
    torch.manual_seed(4)
    layer = Recurrent(cell, E, width)
    inputs = torch.randn(B, T, E, requires_grad=True)

    def found():
        outputs, hidden = layer(inputs, lengths=LENGTHS)
        (gradient,) = torch.autograd.grad(sum(part.float().square().sum() for part in [outputs, *hidden]), inputs)
        return [outputs, *hidden, gradient]

    exact = found()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = found()
    for one, other in zip(rounded, exact, strict=True):
        torch.testing.assert_close(one.float(), other, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_states_are_batch_first_and_continue(cell):
    layer = Recurrent(cell, E, D, layers=2)
    inputs = torch.randn(B, T, E)
    whole, end = layer(inputs)
    _, middle = layer(inputs[:, :2])
    rest, end_of_rest = layer(inputs[:, 2:], middle)
    assert all(h.shape == (B, 2, D) for h in end)
    torch.testing.assert_close(rest, whole[:, 2:], rtol=0, atol=1e-6)
    torch.testing.assert_close(end_of_rest, end, rtol=0, atol=1e-6)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_the_backward_direction_starts_at_the_end_of_each_row(cell):
    torch.manual_seed(2)
    both = Recurrent(cell, E, D, bidirectional=True).double()
    forward, backward = Recurrent(cell, E, D).double(), Recurrent(cell, E, D).double()
    weights = both.rnn.state_dict()
    forward.rnn.load_state_dict({name: weights[name] for name in forward.rnn.state_dict()})
    backward.rnn.load_state_dict({name: weights[f"{name}_reverse"] for name in backward.rnn.state_dict()})
    inputs = torch.randn(B, T, E, dtype=torch.double)
    outputs, hidden = both(inputs, lengths=LENGTHS)
    assert outputs.size(-1) == both.width == 2 * D
    for row, length in enumerate(LENGTHS.tolist()):
        own = inputs[row : row + 1, :length]
        (there, there_end), (back, back_end) = forward(own), backward(own.flip(1))
        torch.testing.assert_close(outputs[row, :length], torch.cat([there, back.flip(1)], -1)[0], rtol=0, atol=1e-10)
        for h, first, last in zip(hidden, there_end, back_end, strict=True):
            torch.testing.assert_close(h[row], torch.cat([first, last], 1)[0], rtol=0, atol=1e-10)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_cells_step_by_step_equal_the_whole_sequence(cell):
    torch.manual_seed(3)
    whole, cells = Recurrent(cell, E, D, layers=2).double(), RecurrentCells(cell, E, D, layers=2).double()
    for layer, own in enumerate(cells.layers):
        for part, short in ((own.inputs, "ih"), (own.recurrent, "hh")):
            names = {"weight": f"weight_{short}_l{layer}", "bias": f"bias_{short}_l{layer}"}
            part.load_state_dict({name: getattr(whole.rnn, theirs) for name, theirs in names.items()})
    inputs = torch.randn(B, T, E, dtype=torch.double)
    expected, end = whole(inputs)
    known, rest_weight = cells.known_gates(inputs[..., :2])
    states = [tuple(torch.zeros(B, D, dtype=torch.double) for _ in end) for _ in range(2)]
    for t in range(T):
        states = cells(known[:, t] + inputs[:, t, 2:] @ rest_weight.T, states)
        torch.testing.assert_close(states[-1][0], expected[:, t], rtol=0, atol=1e-10)
    for layer, state in enumerate(states):
        torch.testing.assert_close(state, tuple(h[:, layer] for h in end), rtol=0, atol=1e-10)


def test_cells_apply_dropout_between_layers_only():
    cells = RecurrentCells("gru", E, D, layers=2, dropout=1.0).double()
    gates, zeros = torch.randn(B, 3 * D, dtype=torch.double), torch.zeros(B, D, dtype=torch.double)
    lower, upper = cells(gates, [(zeros,), (zeros,)])
    torch.testing.assert_close(lower, cells.layers[0](gates, (zeros,)))
    torch.testing.assert_close(upper, cells.layers[1](cells.layers[1].inputs(zeros), (zeros,)))
    assert not torch.allclose(cells.eval()(gates, [(zeros,), (zeros,)])[1][0], upper[0])


def test_an_unknown_cell_is_refused_by_its_name():
    with pytest.raises(ValueError, match="cell must be lstm or gru, but is 'rnn'"):
        Recurrent("rnn", E, D)


def test_the_mask_marks_real_positions():
    assert padding_mask(LENGTHS, 5).tolist() == [[True] * 5, [True] + [False] * 4, [True] * 3 + [False] * 2]


def test_reversal_keeps_padding_on_the_right():
    tokens = torch.tensor([[4, 5, 6, 7, 8], [4, 0, 0, 0, 0], [4, 5, 6, 0, 0]])
    assert reversed_rows(tokens, LENGTHS).tolist() == [[8, 7, 6, 5, 4], [4, 0, 0, 0, 0], [6, 5, 4, 0, 0]]
    vectors = torch.stack([tokens, -tokens], dim=-1)
    assert reversed_rows(vectors, LENGTHS)[2].tolist() == [[6, -6], [5, -5], [4, -4], [0, 0], [0, 0]]


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_recurrent_weights_start_orthogonal(cell):
    weight = Recurrent(cell, E, D).rnn.weight_hh_l0
    torch.testing.assert_close(weight.T @ weight, torch.eye(D))


def test_an_lstms_forget_gate_starts_open():
    bias = Recurrent("lstm", E, D).rnn.bias_ih_l0
    assert bias[D : 2 * D].eq(1).all()
    assert bias.sum() == D
