"""Compiling, as far as it takes no compiler; tests/cli/test_train.py compiles."""

import importlib
import logging
import subprocess
import sys

import pytest
import torch

from seqlab.models.gpt import GPT
from seqlab.training import compiling


@pytest.fixture
def model():
    torch.manual_seed(1)
    return GPT(11, 11, width=8, heads=2, layers=1, dropout=0.0)


def test_without_a_compiler_the_model_stays_as_it_is(model, monkeypatch, caplog):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    inductor = importlib.import_module("torch._inductor.config")
    with caplog.at_level(logging.WARNING), inductor.patch({"cpp.cxx": (None, "no-such-compiler")}):
        compiling.compile_model(model)
    assert "this machine cannot compile (InvalidCxxCompiler" in caplog.text
    assert "no-such-compiler" in caplog.text
    assert model._compiled_call_impl is None


def test_with_one_it_is_compiled(model, monkeypatch, caplog):
    monkeypatch.setattr(compiling, "why_compiling_fails", lambda: None)
    compiling.compile_model(model)
    assert caplog.text == ""
    assert model._compiled_call_impl is not None


# In a process of its own: what checks shapes while tests run cannot be compiled.
WHOLE = """
import torch
from seqlab.models.transformer import Transformer

model = Transformer(11, 13, width=8, heads=2, layers=2)
model.compile(backend="eager", fullgraph=True, dynamic=True)
tokens, lengths = torch.full((3, 5), 7), torch.tensor([5, 2, 1])
print(*model(tokens, lengths, tokens, torch.arange(5) < lengths[:, None]).shape)
"""


@pytest.mark.slow
def test_a_transformer_is_compiled_in_one_piece_for_any_share_of_padding():
    done = subprocess.run([sys.executable, "-c", WHOLE], capture_output=True, text=True, check=True)
    assert done.stdout == "3 5 13\n"
