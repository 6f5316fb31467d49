"""Submodules and parameters are ordinary attributes for a while."""

import pytest
import torch
from torch import nn

from seqlab.models.fast_attribute_access import quick_lookups


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
        self.outer = nn.Linear(4, 2)
        self.outer.weight = nn.Parameter(self.outer.weight.detach())

    def forward(self, inputs):
        return self.outer(self.inner(inputs))


def attributes(model):
    return [set(module.__dict__) for module in model.modules()]


def test_submodules_and_parameters_are_found_with_the_same_results():
    model, inputs = Model().eval(), torch.randn(5, 3)
    with torch.inference_mode():
        before = model(inputs)
        with quick_lookups(model):
            for module in model.modules():
                for name, part in (*module.named_parameters(recurse=False), *module.named_children()):
                    assert module.__dict__[name] is part
            assert torch.equal(model(inputs), before)


def test_hooks_are_still_called():
    model, called = Model().eval(), []
    model.outer.register_forward_hook(lambda *_: called.append(1))
    with quick_lookups(model):
        model(torch.randn(5, 3))
    assert called == [1]


def test_nothing_is_left_behind_even_after_an_error():
    model = Model()
    before, weights = attributes(model), model.state_dict()
    with pytest.raises(ZeroDivisionError), quick_lookups(model):
        assert attributes(model) != before
        raise ZeroDivisionError
    assert attributes(model) == before
    assert model.state_dict().keys() == weights.keys()
    model.outer.weight = nn.Parameter(torch.zeros(2, 4))
    assert model.outer.weight is dict(model.named_parameters())["outer.weight"]


def test_calls_may_be_nested():
    model = Model()
    before = attributes(model)
    with quick_lookups(model):
        with quick_lookups(model):
            pass
        assert torch.isfinite(model(torch.randn(5, 3))).all()
    assert attributes(model) == before
