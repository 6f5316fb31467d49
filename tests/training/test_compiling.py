"""Compiling where there is no compiler; tests/cli/test_train.py compiles."""

import logging

import pytest
import torch

from seqlab.models.gpt import GPT
from seqlab.training import compiling


@pytest.fixture
def model():
    torch.manual_seed(1)
    return GPT(11, 11, width=8, heads=2, layers=1, dropout=0.0)


def test_without_a_compiler_the_model_stays_as_it_is(model, monkeypatch, caplog):
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with caplog.at_level(logging.WARNING):
        compiling.compile_model(model)
    assert "no C++ compiler" in caplog.text
    assert model._compiled_call_impl is None
