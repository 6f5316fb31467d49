"""The structure of a small model is what stands in its code."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hydra import initialize_config_dir
from support import ROOT
from torch import Tensor, nn
from torch.nn import functional as F

from seqlab.data.batch import Examples, Ragged
from seqlab.inspection.diagram import diagram
from seqlab.inspection.model_summary import architectures
from seqlab.inspection.structure import structure_of
from seqlab.layers.state import State
from seqlab.models.bahdanau import Bahdanau
from seqlab.models.base import Seq2Seq
from seqlab.models.gpt import GPT


@dataclass(frozen=True)
class Sum(State):
    total: Tensor
    none: Tensor | None
    real: Tensor


class Half(nn.Module):
    """Two layers with a way past the second."""

    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.layer = nn.Linear(width, 2 * width)
        self.dropout = nn.Dropout(0.5)

    def forward(self, inputs):
        return inputs + self.dropout(self.layer(self.norm(inputs)).chunk(2, dim=-1)[0])


class Small(Seq2Seq):
    """A sum of what was read, given to a chain of layers."""

    def __init__(self, source_size, target_size, width):
        super().__init__(source_size, target_size)
        self.table = nn.Embedding(source_size, width)
        self.embedding = nn.Embedding(target_size, width)
        self.halves = nn.ModuleList(Half(width) for _ in range(3))
        self.unused = nn.Linear(width, width)
        self.first = nn.Linear(2 * width, width)
        self.output = nn.Linear(width, target_size)

    def encode(self, source, source_lengths):
        return Sum(self.table(source).sum(1), None, source > 0)

    def decode(self, tokens, state):
        embedded = self.embedding(tokens)
        context = F.linear(state.total, self.first.weight[:, 7:])  # the share of the context, computed once
        hidden = F.linear(embedded, self.first.weight[:, :7], self.first.bias) + context[:, None]
        for half in self.halves:
            hidden = half(hidden)
        return self.output(torch.relu(hidden)), state


@pytest.fixture
def structure():
    examples = Examples.of([([4, 5, 6], [7]), ([8], [9, 10]), ([4, 4], [5, 6, 7, 8])])
    return structure_of(Small(13, 17, width=7), examples.batch(np.arange(3)), {"width": 7})


def part(path, kind, shape, calls, parameters, repeat=1, parts=()):
    return {
        **{"path": path, "class": kind, "shape": shape, "calls": calls, "parameters": parameters, "repeat": repeat},
        "parts": list(parts),
    }


def test_parts_have_shapes_and_parameters(structure):
    half = [
        part("halves.0.norm", "LayerNorm", "B T D", 1, 14),
        part("halves.0.layer", "Linear", "B T 2D", 1, 7 * 14 + 14),
        {"path": "halves.0.#0", "joint": "+"},
    ]
    assert structure["encode"]["parts"] == [part("table", "Embedding", "B S D", 1, 13 * 7)]
    assert structure["decode"]["parts"] == [
        part("embedding", "Embedding", "B T D", 1, 17 * 7),
        part("first", "Linear", "B T D", 0, 14 * 7 + 7),
        part("halves.0", "Half", "B T D", 1, 14 + 7 * 14 + 14, repeat=3, parts=half),
        part("output", "Linear", "B T V", 1, 7 * 17 + 17),
    ]


def test_edges_go_from_what_made_to_what_took(structure):
    assert structure["encode"]["edges"] == [["source", "table"], ["table", "state.total"]]
    assert structure["decode"]["edges"] == [
        ["tokens", "embedding"],
        ["state.total", "first"],
        ["embedding", "first"],
        ["first", "halves.0.norm"],
        ["halves.0.norm", "halves.0.layer"],
        ["first", "halves.0.#0"],
        ["halves.0.layer", "halves.0.#0"],
        ["halves.0.#0", "output"],
        ["output", "logits"],
    ]


def test_axes_are_those_of_the_batch(structure):
    assert structure["axes"] == {"B": 2, "S": 3, "T": 5, "V": 17, "D": 7}
    assert structure["state"] == [{"name": "total", "shapes": ["B D"]}, {"name": "real", "shapes": ["B S"]}]
    assert (structure["name"], structure["about"]) == ("Small", "A sum of what was read, given to a chain of layers.")


def test_a_source_as_long_as_its_target_is_told_from_it():
    examples = Examples.of([([4, 5, 6], [7, 8]), ([8], [9])])
    axes = structure_of(Small(13, 17, width=7), examples.batch(np.arange(2)), {})["axes"]
    assert len({axes[letter] for letter in "BST"}) == 3


def test_the_batch_is_told_from_source_and_target_together():
    examples = Examples.of([([4, 5], [7, 8]), ([8], [9])])
    found = structure_of(Small(13, 17, width=7), examples.batch(np.arange(2)), {"width": 7})
    assert (found["axes"]["S"], found["axes"]["T"]) == (2, 3)
    assert found["encode"]["parts"] == [part("table", "Embedding", "B S D", 1, 13 * 7)]


def test_a_part_of_the_state_that_begins_as_zeros_says_so():
    """Nothing of the encoder leads to it, so in a drawing it has no arrow."""
    examples = Examples.of([([4, 5, 6], [7, 8]), ([8], [9])])
    model = Bahdanau(13, 17, width=6, embedding=5)
    structure = structure_of(model, examples.batch(np.arange(2)), {"width": 6})
    assert [one["name"] for one in structure["state"] if one.get("begins") == "zeros"] == ["context"]
    assert diagram(structure).count("begins as zeros") == 1


def test_without_sources_there_is_nothing_but_a_decoder():
    targets = Ragged.of([[4, 5, 6, 7, 8], [9, 4, 5, 6, 7]])
    examples = Examples(Ragged.of([[], []]), targets)
    model = GPT(17, 17, width=8, heads=2, layers=2)
    structure = structure_of(model, examples.batch(np.arange(2)), {"width": 8})
    assert (structure["state"], structure["encode"]["parts"]) == ([], [])
    assert structure["decode"]["edges"][-1] == ["output", "logits"]
    assert ">decode<" in (svg := diagram(structure)) and ">encode<" not in svg


def test_all_architectures_are_described_at_one_size(tmp_path):
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        found = architectures("model_size=small", "data.samples=40", f"data.cache={tmp_path}")
    assert set(found) == {path.stem for path in (ROOT / "conf/model").glob("*.yaml")}
    assert all(240_000 < one["parameters"] < 265_000 for one in found.values())
