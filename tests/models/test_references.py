"""Architectures against textbook loops, one step and one token at a time, written here with torch's cells."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from seqlab.models.bahdanau import Bahdanau
from seqlab.models.context_gru import ContextGRU
from seqlab.models.fixed_vector import FixedVector
from seqlab.models.luong import Luong
from seqlab.special_tokens import BOS

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


def cell_like(layers, inputs, kind, layer=0, suffix=""):
    """torch's cell with the weights of a layer of torch's sequence module."""
    cell = (nn.LSTMCell if kind == "lstm" else nn.GRUCell)(inputs, D).double()
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    cell.load_state_dict({name: getattr(layers, f"{name}_l{layer}{suffix}") for name in names})
    return cell


def own_cell_like(own, inputs, kind):
    """torch's cell with the weights of a cell of seqlab."""
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
    return run(cell, [model.source_input.table.weight[token] for token in SOURCE[row, : LENGTHS[row]]])


def run(cell, inputs):
    """A cell over the vectors of one row, from zero: its outputs (steps, D) and its last state."""
    zeros = torch.zeros(1, D, dtype=torch.double)
    state, outputs = (zeros, zeros), []
    for x in inputs:
        state = step(cell, x[None], state)
        outputs.append(state[0][0])
    return torch.stack(outputs), state


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


def test_layers_are_stacked_and_the_source_is_read_backwards():
    model = double(FixedVector(V, W, width=D, embedding=E, layers=2, reverse_source=True, cell="lstm"))
    encoder, decoder = (
        [cell_like(side.rnn, E, "lstm"), cell_like(side.rnn, D, "lstm", layer=1)]
        for side in (model.encoder, model.decoder)
    )
    logits = model(SOURCE, LENGTHS, TARGET)
    for row in range(2):
        words = SOURCE[row, : LENGTHS[row]].flip(0)
        below, first = run(encoder[0], [model.source_input.table.weight[token] for token in words])
        _, second = run(encoder[1], below)
        for t, token in enumerate(TARGET[row]):
            first = step(decoder[0], model.target_input.table.weight[token][None], first)
            second = step(decoder[1], first[0], second)
            torch.testing.assert_close(logits[row, t], model.output(second[0])[0], **EXACT)


@pytest.fixture
def double_by_default():
    """One-hot vectors take torch's default type."""
    torch.set_default_dtype(torch.double)
    yield
    torch.set_default_dtype(torch.float)


@pytest.mark.parametrize(("embedding", "tied"), [(E, False), (E, True), (None, False)])
@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_context_gru_equals_cho_et_als_loop(kind, embedding, tied, double_by_default):
    model = double(ContextGRU(V, W, width=D, embedding=embedding, cell=kind, tied=tied))
    source, target = (
        torch.eye(size, dtype=torch.double) if embedding is None else side.table.weight
        for side, size in ((model.source_input, V), (model.target_input, W))
    )
    encoder = cell_like(model.encoder.rnn, source.size(1), kind)
    decoder = cell_like(model.decoder.rnn, target.size(1) + D, kind)
    logits = model(SOURCE, LENGTHS, TARGET)
    for row in range(2):
        _, state = run(encoder, source[SOURCE[row, : LENGTHS[row]]])
        context = state[0][0]
        for t, token in enumerate(TARGET[row]):
            state = step(decoder, torch.cat([target[token], context])[None], state)
            seen = torch.cat([state[0][0], target[token], context])
            seen = seen if model.projection is None else model.projection(seen)
            torch.testing.assert_close(logits[row, t], model.output(seen), **EXACT)


def average(scores, memory):
    """The mean of the memory, weighted by the softmax of the scores."""
    return sum(weight * m for weight, m in zip(F.softmax(torch.stack(scores), dim=0), memory, strict=True))


def attend(model, query, memory):
    """Additive attention over one memory, position by position."""
    part = model.attention
    scores = [part.score.weight[0] @ torch.tanh(part.query.weight @ query + part.keys(m)) for m in memory]
    return average(scores, memory)


def read_for_attention(model, kind, row):
    """Bahdanau's memory of one row and the first state of each layer of the decoder, for every kind of encoder."""
    memory, states = model.source_input.table.weight[SOURCE[row, : LENGTHS[row]]], []
    for layer in range(model.encoder.rnn.num_layers):
        below, width = memory, memory.size(1)
        memory, state = run(cell_like(model.encoder.rnn, width, kind, layer), below)
        if model.encoder.rnn.bidirectional:
            backward, state = run(cell_like(model.encoder.rnn, width, kind, layer, "_reverse"), below.flip(0))
            memory = torch.cat([memory, backward.flip(0)], dim=1)
        if model.bridge is not None:
            own = model.bridge.layers[layer * len(MEMORY[kind]) :]
            state = tuple(torch.tanh(own[i](state[i])) for i in range(len(MEMORY[kind])))
        states.append(state)
    return memory, states


MEMORY = {"lstm": "hc", "gru": "h"}
ENCODERS = [{"bidirectional": two, "bridge": bridge} for two in (False, True) for bridge in (False, True)]


def upper_cells(model, kind):
    """The layers above the one that attends."""
    return (
        []
        if model.upper is None
        else [cell_like(model.upper.rnn, D, kind, n) for n in range(model.upper.rnn.num_layers)]
    )


def climb(cells, states):
    """One step of the layers above the lowest: the output of the top layer."""
    for layer, cell in enumerate(cells, start=1):
        states[layer] = step(cell, states[layer - 1][0], states[layer])
    return states[-1][0][0]


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_bahdanau_before_equals_the_papers_loop(kind, encoder, layers):
    sizes = {"width": D, "embedding": E, "attention": A, "layers": layers}
    model = double(Bahdanau(V, W, **sizes, cell=kind, order="before", **encoder))
    upper = upper_cells(model, kind)
    logits = model(SOURCE, LENGTHS, TARGET)
    for row in range(2):
        memory, states = read_for_attention(model, kind, row)
        cell = own_cell_like(model.cell, E + memory.size(1), kind)
        for t, token in enumerate(TARGET[row]):
            previous = model.target_input.table.weight[token]
            context = attend(model, states[0][0][0], memory)
            states[0] = step(cell, torch.cat([previous, context])[None], states[0])
            pairs = model.deep_output.pairs(torch.cat([climb(upper, states), previous, context]))
            expected = model.output(torch.maximum(pairs[0::2], pairs[1::2]))
            torch.testing.assert_close(logits[row, t], expected, **EXACT)


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_bahdanau_after_equals_a_loop_that_feeds_the_context_forward(kind, encoder, layers):
    sizes = {"width": D, "embedding": E, "attention": A, "layers": layers}
    model = double(Bahdanau(V, W, **sizes, cell=kind, order="after", **encoder))
    cell, upper = own_cell_like(model.cell, E, kind), upper_cells(model, kind)
    logits = model(SOURCE, LENGTHS, TARGET)
    for row in range(2):
        memory, states = read_for_attention(model, kind, row)
        context = torch.zeros(memory.size(1), dtype=torch.double)  # the first context and the first input are zeros
        for t, token in enumerate(TARGET[row]):
            previous = torch.zeros(E, dtype=torch.double) if t == 0 else model.target_input.table.weight[token]
            states[0] = step(cell, model.projection(torch.cat([context, previous]))[None], states[0])
            torch.testing.assert_close(logits[row, t], model.output(climb(upper, states)), **EXACT)
            context = attend(model, states[0][0][0], memory)


def test_bahdanau_applies_dropout_between_layers():
    model = Bahdanau(V, W, width=D, embedding=E, layers=3, dropout=1.0)
    seen = []
    model.upper.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    model(SOURCE, LENGTHS, TARGET)
    model.eval()(SOURCE, LENGTHS, TARGET)
    assert [bool(one.any()) for one in seen] == [False, True]
    assert model.encoder.rnn.dropout == model.upper.rnn.dropout == 1.0


def test_an_unknown_order_is_refused_by_its_name():
    with pytest.raises(ValueError, match="order must be before or after, but is 'between'"):
        Bahdanau(V, W, order="between")


SCORES = {
    "dot": lambda part, h, m: h @ m,
    "general": lambda part, h, m: h @ part.key.weight @ m,
    "concat": lambda part, h, m: (
        part.score.weight[0]
        @ torch.tanh(torch.cat([part.query.weight, part.keys.weight], 1) @ torch.cat([h, m]) + part.keys.bias)
    ),
}


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("feeding", [True, False])
@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_luong_equals_the_papers_loop(kind, score, feeding, layers):
    model = double(Luong(V, W, width=D, embedding=E, layers=layers, cell=kind, score=score, input_feeding=feeding))
    encoder = [cell_like(model.encoder.rnn, D if layer else E, kind, layer) for layer in range(layers)]
    if feeding:
        widths = [E + D, D][:layers]
        decoder = [own_cell_like(own, i, kind) for own, i in zip(model.decoder.layers, widths, strict=True)]
    else:
        decoder = [cell_like(model.decoder.rnn, D if layer else E, kind, layer) for layer in range(layers)]
    combine = torch.cat([model.of_context.weight, model.of_hidden.weight], dim=1)
    logits = model(SOURCE, LENGTHS, TARGET)
    for row in range(2):
        memory, states = [model.source_input.table.weight[token] for token in SOURCE[row, : LENGTHS[row]]], []
        for cell in encoder:
            memory, state = run(cell, memory)
            states.append(state)
        attentional = torch.zeros(D, dtype=torch.double)
        for t, token in enumerate(TARGET[row]):
            x = model.target_input.table.weight[token]
            x = torch.cat([x, attentional]) if feeding else x
            for layer, cell in enumerate(decoder):
                states[layer] = step(cell, x[None], states[layer])
                x = states[layer][0][0]
            context = average([SCORES[score](model.attention, x, m) for m in memory], memory)
            attentional = torch.tanh(combine @ torch.cat([context, x]))
            torch.testing.assert_close(logits[row, t], model.output(attentional), **EXACT)


def test_input_feeding_gives_a_step_the_attentional_state_of_the_last():
    """With zero weights for the attentional state, the logits are those without input feeding."""
    fed = double(Luong(V, W, width=D, embedding=E, cell="lstm", input_feeding=True))
    unfed = Luong(V, W, width=D, embedding=E, cell="lstm", input_feeding=False).double().eval()
    weights = {name: value for name, value in fed.state_dict().items() if not name.startswith("decoder")}
    cell = fed.decoder.layers[0]
    weights |= {"decoder.rnn.weight_ih_l0": cell.inputs.weight[:, :E], "decoder.rnn.bias_ih_l0": cell.inputs.bias}
    weights |= {"decoder.rnn.weight_hh_l0": cell.recurrent.weight, "decoder.rnn.bias_hh_l0": cell.recurrent.bias}
    unfed.load_state_dict(weights)
    logits, without = fed(SOURCE, LENGTHS, TARGET), unfed(SOURCE, LENGTHS, TARGET)
    torch.testing.assert_close(logits[:, 0], without[:, 0], **EXACT)  # the first attentional state is zero
    assert not torch.isclose(logits[:, 1:], without[:, 1:], rtol=0, atol=1e-3).all(dim=-1).any()
    with torch.no_grad():
        cell.inputs.weight[:, E:] = 0.0
    torch.testing.assert_close(fed(SOURCE, LENGTHS, TARGET), without, **EXACT)


@pytest.mark.parametrize("feeding", [True, False])
def test_luong_applies_dropout_between_layers(feeding):
    model = Luong(V, W, width=D, embedding=E, layers=2, dropout=0.25, input_feeding=feeding)
    assert model.encoder.rnn.dropout == (model.decoder.dropout.p if feeding else model.decoder.rnn.dropout) == 0.25


def test_an_unknown_score_is_refused_by_its_name():
    with pytest.raises(ValueError, match="score must be dot, general or concat, but is 'cosine'"):
        Luong(V, W, score="cosine")


@pytest.mark.parametrize("architecture", [FixedVector, Bahdanau, Luong])
def test_tied_weights_are_one_parameter_and_need_one_width(architecture):
    model = architecture(V, W, width=D, embedding=D, tied=True)
    assert model.output.weight is model.target_input.table.weight
    assert sum(p is model.output.weight for p in model.parameters()) == 1
    with pytest.raises(
        ValueError, match=r"tied needs an embedding as wide as the output layer's input \(11\), but .* 7"
    ):
        architecture(V, W, width=D, embedding=E, tied=True)


def test_context_gru_projects_on_a_tied_embedding_of_any_width():
    model = ContextGRU(V, W, width=D, embedding=E, tied=True)
    assert model.projection.bias is None  # the output layer after P has the only bias
    assert model.output.weight is model.target_input.table.weight
    with pytest.raises(ValueError, match="tied needs a target embedding, but the inputs are one-hot"):
        ContextGRU(V, W, width=D, embedding=None, tied=True)
