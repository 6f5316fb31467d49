"""What is recorded of an architecture is all of it, and hangs together; what is drawn of it is whole."""

import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from seqlab.config.component import Component
from seqlab.inspection.diagram import diagram
from seqlab.inspection.structure import structure_of
from seqlab.testing.architecture import random_examples, with_random_weights

SVG = "{http://www.w3.org/2000/svg}"
PHASES = ("encode", "decode")


SIZES = {"source_size": 17, "target_size": 19}
FOUND = {}


@pytest.fixture
def model(model_config):
    """An architecture with random weights."""
    torch.manual_seed(5)
    return with_random_weights(Component.of(model_config, "model").build(**SIZES))


@pytest.fixture
def structure(request, model_config):
    """The structure of an architecture, recorded once for all tests."""
    name = request.node.callspec.params["model_config"]
    if name not in FOUND:
        model, examples = request.getfixturevalue("model"), random_examples(**SIZES)
        batch = examples.batch(np.arange(len(examples)))
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        FOUND[name] = structure_of(model, batch, model_config)
        assert all(tensor.equal(before[name]) for name, tensor in model.state_dict().items())
        assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    return FOUND[name]


def leaves(parts, repeat=1):
    """Parts without parts, and how many there are of each."""
    for part in parts:
        if "joint" not in part:
            times = repeat * part["repeat"]
            yield from leaves(part["parts"], times) if part["parts"] else [(part, times)]


def test_every_weight_belongs_to_a_part(structure, model):
    found = [leaf for phase in PHASES for leaf in leaves(structure[phase]["parts"])]
    own = {part["path"]: part["parameters"] * times for part, times in found}
    held = [p.numel() for module in model.modules() for p in module.parameters(recurse=False)]  # tied ones twice
    assert sum(own.values()) == sum(held)
    assert structure["parameters"] == sum(p.numel() for p in model.parameters())


def test_sources_and_tokens_reach_the_logits(structure):
    edges = [tuple(edge) for phase in PHASES for edge in structure[phase]["edges"]]
    for start in ("source", "tokens"):
        reached = {start}
        while more := {after for before, after in edges if before in reached} - reached:
            reached |= more
        assert "logits" in reached, reached


def test_edges_are_between_what_is_there(structure):
    def paths(parts):
        for part in parts:
            yield part["path"]
            yield from paths(part.get("parts", []))

    fields = {f"state.{one['name']}" for one in structure["state"]}
    for phase in PHASES:
        known = {*paths(structure[phase]["parts"]), *fields, structure["inputs"][phase][0], "logits"}
        assert {end for edge in structure[phase]["edges"] for end in edge} <= known


def test_it_is_ready_for_json(structure):
    assert json.loads(json.dumps(structure)) == structure


def test_the_drawing_is_whole(structure):
    svg = diagram(structure, "one")
    root = ElementTree.fromstring(svg)
    assert (root.tag, root.get("role")) == (f"{SVG}svg", "img")
    ids = {element.get("id") for element in root.iter() if element.get("id")}
    assert ids == {"one-title", "one-desc", "one-arrow"} >= set(root.get("aria-labelledby").split())
    assert set(re.findall(r"url\(#([^)]*)\)", svg)) <= ids
    assert {element.tag for element in root.iter()} <= {
        *(f"{SVG}{tag}" for tag in ("svg", "title", "desc", "defs", "marker", "path", "rect", "text"))
    }
    texts = {element.text for element in root.iter(f"{SVG}text")}
    for phase in PHASES:
        for leaf, _ in leaves(structure[phase]["parts"]):
            assert any(leaf["class"] in text for text in texts)
    width, height = map(float, root.get("viewBox").split()[2:])
    for box in root.iter(f"{SVG}rect"):
        x, y, own_width, own_height = (float(box.get(key)) for key in ("x", "y", "width", "height"))
        assert x >= 0 and x + own_width <= width and y >= 0 and y + own_height <= height
