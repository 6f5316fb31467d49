"""Architectures against textbook loops, one step and one token at a time, written here with torch's own cells."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from seqlab.models.bahdanau import Bahdanau
from seqlab.models.fixed_vector import FixedVector
from seqlab.symbols import BOS

V, W, D, E, A = 13, 17, 11, 7, 5
SOURCE = torch.tensor([[4, 5, 6], [7, 8, 0]])
LENGTHS = torch.tensor([3, 2])
TARGET = torch.tensor([[BOS, 5, 6, 7, 8], [BOS, 9, 4, 4, 16]])
EXACT = {"rtol": 0, "atol": 1e-10}


def double(model):
    torch.manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-0.8, 0.8)
    return model.double().eval()


def cell_like(layer, inputs, kind):
    """torch's cell with the weights of the first layer of torch's sequence module."""
    cell = (nn.LSTMCell if kind == "lstm" else nn.GRUCell)(inputs, D).double()
    cell.load_state_dict(
        {name: getattr(layer, f"{name}_l0") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    )
    return cell


def own_cell_like(own, inputs, kind):
    """torch's cell with the weights of one of seqlab's."""
    cell = (nn.LSTMCell if kind == "lstm" else nn.GRUCell)(inputs, D).double()
    cell.load_state_dict(
        {
            "weight_ih": own.inputs.weight,
            "bias_ih": own.inputs.bias,
            "weight_hh": own.recurrent.weight,
            "bias_hh": own.recurrent.bias,
        }
    )
    return cell


def step(cell, x, state):
    """The next state of an LSTM or GRU cell as a tuple, its output first."""
    return cell(x, state) if isinstance(cell, nn.LSTMCell) else (cell(x, state[0]),)


def read(model, cell, row):
    """Runs the encoder over one source, token by token: its outputs and its last state."""
    zeros = torch.zeros(1, D, dtype=torch.double)
    state, outputs = (zeros, zeros), []
    for token in SOURCE[row, : LENGTHS[row]]:
        state = step(cell, model.source_input.table.weight[token][None], state)
        outputs.append(state[0])
    return torch.stack(outputs, 1)[0], state


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_fixed_vector_equals_a_loop_over_cells(kind):
    model = double(FixedVector(V, W, width=D, embedding=E, cell=kind))
    encoder, decoder = (cell_like(side.rnn, E, kind) for side in (model.encoder, model.decoder))
    logits = model(SOURCE, LENGTHS, TARGET)
    for row in range(2):
        _, state = read(model, encoder, row)
        for t, token in enumerate(TARGET[row]):
            state = step(decoder, model.target_input.table.weight[token][None], state)
            torch.testing.assert_close(logits[row, t], model.output(state[0])[0], **EXACT)


def attend(model, query, memory):
    """Additive attention over one memory, position by position."""
    scores = torch.stack(
        [
            model.attention.score.weight[0] @ torch.tanh(model.attention.query.weight @ query + model.attention.keys(m))
            for m in memory
        ]
    )
    return sum(weight * m for weight, m in zip(F.softmax(scores, dim=0), memory, strict=True))


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_bahdanau_before_equals_the_papers_loop(kind):
    model = double(Bahdanau(V, W, width=D, embedding=E, attention=A, cell=kind, order="before"))
    cell = own_cell_like(model.cell, E + D, kind)
    logits = model(SOURCE, LENGTHS, TARGET)
    for row in range(2):
        memory, state = read(model, cell_like(model.encoder.rnn, E, kind), row)
        for t, token in enumerate(TARGET[row]):
            previous = model.target_input.table.weight[token]
            context = attend(model, state[0][0], memory)
            state = step(cell, torch.cat([previous, context])[None], state)
            pairs = model.deep_output.pairs(torch.cat([state[0][0], previous, context]))
            expected = model.output(torch.maximum(pairs[0::2], pairs[1::2]))
            torch.testing.assert_close(logits[row, t], expected, **EXACT)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_bahdanau_after_equals_claim_rs_loop(kind):
    model = double(Bahdanau(V, W, width=D, embedding=E, attention=A, cell=kind, order="after"))
    cell = own_cell_like(model.cell, E, kind)
    logits = model(SOURCE, LENGTHS, TARGET)
    for row in range(2):
        memory, state = read(model, cell_like(model.encoder.rnn, E, kind), row)
        context = torch.zeros(D, dtype=torch.double)  # the first context and the first input are zeros
        for t, token in enumerate(TARGET[row]):
            previous = torch.zeros(E, dtype=torch.double) if t == 0 else model.target_input.table.weight[token]
            state = step(cell, model.projection(torch.cat([context, previous]))[None], state)
            torch.testing.assert_close(logits[row, t], model.output(state[0][0]), **EXACT)
            context = attend(model, state[0][0], memory)


def test_an_unknown_order_is_refused_by_its_name():
    with pytest.raises(ValueError, match="order must be before or after, but is 'between'"):
        Bahdanau(V, W, order="between")
