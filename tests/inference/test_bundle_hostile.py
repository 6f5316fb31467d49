"""Bundles made to do harm: nothing of theirs runs, nothing large is built, and the refusal is one line."""

import functools
import json
import shutil
import struct
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from seqlab import load
from seqlab.decoding import Greedy
from seqlab.errors import InputError
from seqlab.inference import bundle as module
from seqlab.models.fixed_vector import FixedVector
from seqlab.text.tokenizers import CharacterTokenizer

TINY = Path(__file__).parent / "tiny_bundle"


@pytest.fixture
def bundle(tmp_path):
    """A copy of the committed bundle, to be made hostile."""
    return Path(shutil.copytree(TINY, tmp_path / "bundle"))


@pytest.fixture
def refused(bundle, monkeypatch):
    """Loads it, and gives the line with which it is refused before any model is built for real."""
    real = FixedVector.__init__

    @functools.wraps(real)
    def counted(self, *arguments, **settings):
        assert torch.get_default_device().type == "meta", "built for real"
        real(self, *arguments, **settings)

    def call(message):
        monkeypatch.setattr(FixedVector, "__init__", counted)
        with pytest.raises(InputError, match=message) as error:
            load(bundle)
        assert len(str(error.value)) < 600 and "\n" not in str(error.value)

    return call


def rewrite(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 10**9}, "width must be at most"),
        ({"width": 900_000}, "weights are not of this model"),
        ({"layers": 10**9}, "layers must be at most"),
        ({"layers": 900_000}, "more parameters than there are weights"),
        ({"embedding": 2**62}, "embedding must be at most"),
        ({"source_size": 10**9}, "source_size must be at most"),
        ({"width": -5}, "width must be at least 1"),
        ({"width": [8]}, "model.width must be an integer"),
        ({"width": "8"}, "model.width must be an integer"),
        ({"width": {"a": "b" * 10**6}}, "model.width must be an integer"),
        ({"x" * 10**6: 1}, "unknown key"),
        ({"cell": "rnn"}, "cell must be lstm or gru"),
    ],
)
def test_sizes_are_held_against_the_weights_before_a_model_is_built(bundle, refused, settings, message):
    rewrite(bundle / "bundle.json", lambda content: content["model"]["settings"].update(settings))
    refused(message)


def changed(path, change):
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


FIRST = "encoder.rnn.weight_ih_l0"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.update({FIRST: t[FIRST].to(torch.int8)}), "of int8, but the model has .* float32"),
        (lambda t: t.update({FIRST: t[FIRST].double()}), "of float64, but the model has .* float32"),
        (lambda t: t.update({FIRST: t[FIRST].half()}), "of float16, but the model has .* float32"),
        (lambda t: t.update({FIRST: t[FIRST].T.contiguous()}), "not of this model"),
        (lambda t: t.pop(FIRST), "no encoder.rnn.weight_ih_l0 in the file"),
        (lambda t: t.update(more=t[FIRST].clone()), "more is not of the model"),
    ],
)
def test_weights_of_other_types_or_shapes_are_refused(bundle, refused, change, message):
    changed(bundle / "weights.safetensors", change)
    refused(message)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(bundle, value):
    changed(bundle / "weights.safetensors", lambda tensors: tensors[FIRST][0].fill_(value))
    with pytest.raises(InputError, match=f"{FIRST} has values that are not finite"):
        load(bundle)


def header(**entries):
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text


HUGE = 2**40
HEADERS = {
    "empty": b"",
    "no header": struct.pack("<Q", 2**63) + b"{}",
    "no JSON": struct.pack("<Q", 4) + b"[[[[",
    "nested": struct.pack("<Q", 200_000) + b"[" * 200_000,
    "no shape": header(a={"dtype": "F32"}),
    "no entry": header(a=3),
    "a shape of text": header(a={"dtype": "F32", "shape": "34", "data_offsets": [0, 4]}),
    "a negative shape": header(a={"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}),
    "more than the file": header(a={"dtype": "F32", "shape": [HUGE, HUGE, HUGE], "data_offsets": [0, 4]}),
    "another type": header(a={"dtype": "F8_E4M3", "shape": [0], "data_offsets": [0, 0]}),
    "no type": header(a={"dtype": ["F32"], "shape": [0], "data_offsets": [0, 0]}),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_is_none_is_refused(bundle, refused, name):
    (bundle / "weights.safetensors").write_bytes(HEADERS[name])
    refused("weights.safetensors")


@pytest.mark.parametrize("name", ["bundle.json", "tokenizers.json"])
@pytest.mark.parametrize("content", ["[" * 100_000, '{"a": 1, "a": 1}', "[NaN]", "9" * 5000, '"\\ud800"', "null"])
def test_json_that_readers_disagree_about_is_refused(bundle, refused, name, content):
    (bundle / name).write_text(content)
    refused(name)


@pytest.mark.parametrize("name", ["bundle.json", "tokenizers.json", "weights.safetensors"])
def test_a_file_that_never_ends_is_refused(bundle, refused, name):
    (bundle / name).unlink()
    (bundle / name).symlink_to("/dev/zero")
    refused("not a regular file|no bundle.json")


def test_a_model_of_ones_own_needs_trust_and_is_held_against_its_weights_too(tmp_path, monkeypatch):
    (tmp_path / "own_lab.py").write_text(
        f"open({str(tmp_path / 'imported')!r}, 'w').close()\n"
        "from seqlab.models.fixed_vector import FixedVector\n"
        "class Own(FixedVector):\n"
        "    def __init__(self, source_size: int, target_size: int, depth: int = 1, size: int = 3):\n"
        "        super().__init__(source_size, target_size, width=size, embedding=2, layers=depth)\n"
        "        assert self.output.bias.sum().item() != 7.0\n"  # which cannot be told without memory
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    from own_lab import Own

    (tmp_path / "imported").unlink()
    tokenizer = CharacterTokenizer("ab")
    settings = {"source_size": 6, "target_size": 6, "depth": 2}
    module.save(tmp_path / "bundle", Own(**settings), settings, (tokenizer, tokenizer), Greedy(max_length=3))
    del sys.modules["own_lab"]
    with pytest.raises(InputError, match=r"own_lab:Own, of a package that is not trusted.*trust=\[own_lab\]"):
        load(tmp_path / "bundle")
    assert not (tmp_path / "imported").exists()
    assert load(tmp_path / "bundle", trust=["own_lab"]).predict(["ab"])
    assert (tmp_path / "imported").exists()
    monkeypatch.setenv("SEQLAB_TRUST", "own_lab")
    for change, message in (
        ({"depth": 900_000}, "more parameters"),
        ({"depth": 1, "size": 30_000}, "larger than all weights"),
    ):
        rewrite(tmp_path / "bundle/bundle.json", lambda content, new=change: content["model"]["settings"].update(new))
        with pytest.raises(InputError, match=message):
            load(tmp_path / "bundle")


def test_a_model_trained_in_another_precision_is_kept_in_single(tmp_path):
    settings = {"source_size": 6, "target_size": 6, "width": 3, "embedding": 2}
    model = FixedVector(**settings).to(torch.bfloat16)
    tokenizer = CharacterTokenizer("ab")
    module.save(tmp_path / "bundle", model, settings, (tokenizer, tokenizer), Greedy(max_length=3))
    for name, tensor in load(tmp_path / "bundle").model.state_dict().items():
        assert tensor.dtype == torch.float32 and torch.equal(tensor, model.state_dict()[name].float()), name
