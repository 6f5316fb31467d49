"""How a model starts: schemes against their formulas, weights of another run, frozen parts."""

import math
import sys
from types import SimpleNamespace

import pytest
import torch
from hydra.utils import get_object
from torch import nn

from seqlab.config.component import Component
from seqlab.data.toy import IntegerPairs
from seqlab.decoding import Greedy
from seqlab.errors import InputError
from seqlab.inference import bundle
from seqlab.kinds import NOTHING
from seqlab.models.fixed_vector import FixedVector
from seqlab.text.tokenizers import CharacterTokenizer
from seqlab.training.initialization import Initialisation, freeze, take_weights

INPUTS, OUTPUTS = 307, 211


def drawn(**settings):
    torch.manual_seed(3)
    layer = nn.Linear(INPUTS, OUTPUTS)
    Initialisation(**settings)(layer)
    return layer.weight.detach()


@pytest.mark.parametrize(
    ("settings", "deviation", "bounded"),
    [
        ({"scheme": "xavier_uniform"}, math.sqrt(2 / (INPUTS + OUTPUTS)), True),
        ({"scheme": "xavier_uniform", "scale": 3.0}, 3 * math.sqrt(2 / (INPUTS + OUTPUTS)), True),
        ({"scheme": "xavier_normal"}, math.sqrt(2 / (INPUTS + OUTPUTS)), False),
        ({"scheme": "kaiming_uniform"}, math.sqrt(2 / INPUTS), True),
        ({"scheme": "kaiming_normal"}, math.sqrt(2 / INPUTS), False),
        ({"scheme": "kaiming_normal", "scale": 0.5}, 0.5 * math.sqrt(2 / INPUTS), False),
        ({"scheme": "uniform"}, 0.08 / math.sqrt(3), True),
        ({"scheme": "uniform", "scale": 0.3}, 0.3 / math.sqrt(3), True),
        ({"scheme": "normal"}, 0.02, False),
        ({"scheme": "normal", "scale": 1.5}, 1.5, False),
    ],
)
def test_a_scheme_draws_with_its_deviation(settings, deviation, bounded):
    weight = drawn(**settings)
    assert float(weight.std()) == pytest.approx(deviation, rel=0.02)
    assert (float(weight.abs().max()) <= deviation * math.sqrt(3) * 1.0001) is bounded


def test_orthogonal_rows_are_orthogonal():
    weight = drawn(scheme="orthogonal", scale=2.0)
    torch.testing.assert_close(weight @ weight.T, 4 * torch.eye(OUTPUTS), rtol=0, atol=1e-4)


def test_all_matrices_are_drawn_and_nothing_else():
    model = FixedVector(13, 17, width=11, embedding=7)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    Initialisation("normal", 0.5)(model)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]) is (tensor.dim() < 2), name
    assert model.source_input.table.weight[0].tolist() == [0.0] * 7
    assert model.source_input.table.weight[1:].std() > 0.4


def test_without_a_scheme_nothing_changes():
    model = FixedVector(13, 17, width=11, embedding=7)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    Initialisation()(model)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def frozen(patterns):
    model = FixedVector(13, 17, width=11, embedding=7)
    freeze(model, patterns)
    return {name for name, parameter in model.named_parameters() if not parameter.requires_grad}


def test_parts_are_frozen_by_their_names():
    everything = {name for name, _ in FixedVector(13, 17, width=11, embedding=7).named_parameters()}
    assert frozen([]) == set()
    assert frozen(["encoder"]) == {name for name in everything if name.startswith("encoder.")}
    assert frozen(["*_input", "output.bias"]) == {
        "source_input.table.weight",
        "target_input.table.weight",
        "output.bias",
    }


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (["encoder", "encode"], "freeze: no parameter matches 'encode'; the model's parts are source_input, "),
        (["*"], r"freeze: nothing is left to train with \*"),
    ],
)
def test_what_cannot_be_frozen_is_refused(patterns, message):
    with pytest.raises(InputError, match=message):
        frozen(patterns)


@pytest.fixture
def taking(tmp_path):
    """Takes the weights of a bundle into a model of settings, for data of a tokenizer; gives both models."""
    letters = CharacterTokenizer("abcd")
    settings = {"source_size": 8, "target_size": 8, "width": 6, "embedding": 5, "cell": "gru", "dropout": 0.1}
    donor = FixedVector(**settings)
    bundle.save(tmp_path / "bundle", donor, settings, (letters, letters), Greedy(max_length=3))

    def take(target="seqlab.models.fixed_vector.FixedVector", tokenizer=letters, **changes):
        own = {name: value for name, value in (settings | changes).items() if not name.endswith("_size")}
        component = Component("model", {"_target_": target, **own})
        sizes = {"source_size": tokenizer.size, "target_size": tokenizer.size}
        data = IntegerPairs([["1", "1"]])
        data.source_tokenizer = data.target_tokenizer = tokenizer
        taker = get_object(target)(**own, **sizes)
        take_weights(taker, data, component, str(tmp_path / "bundle"), NOTHING)
        return donor, taker

    return take


def test_weights_are_taken_though_dropout_differs_and_defaults_are_not_written(taking):
    for changes in ({}, {"dropout": 0.5}, {"layers": 1}, {"reverse_source": False}):
        donor, taker = taking(**changes)
        assert all(torch.equal(taker.state_dict()[name], tensor) for name, tensor in donor.state_dict().items())


class Reader(FixedVector):
    """Another kind, whose tensors happen to fit."""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reverse_source": True}, "of another model: model.reverse_source false → true; set"),
        ({"width": 7, "cell": "lstm"}, "model.width 6 → 7, model.cell gru → lstm, .* more"),
        ({"target": f"{__name__}.Reader"}, r"of another model: model fixed_vector → .*Reader; set"),
        ({"tokenizer": CharacterTokenizer("abce")}, "its source vocabulary is not the data's .*symbols .* → "),
    ],
)
def test_weights_of_another_model_or_vocabulary_are_refused_though_they_fit(taking, changes, message, monkeypatch):
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or SimpleNamespace(Reader=Reader))
    with pytest.raises(InputError, match=message):
        taking(**changes)
