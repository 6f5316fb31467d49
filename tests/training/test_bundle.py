"""Bundles: one from the first day of the format loads for ever; what does not belong together is refused."""

import json
import shutil
from pathlib import Path

import pytest
from support import ROOT

from seqlab import load
from seqlab.errors import InputError

TINY = Path(__file__).parent / "tiny_bundle"


@pytest.fixture
def bundle(tmp_path):
    """A copy of the committed bundle, to be spoilt."""
    return Path(shutil.copytree(TINY, tmp_path / "bundle"))


def rewrite(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_the_committed_bundle_loads_and_reverses():
    assert load(TINY).predict(["1 2 3"]) == ["3 2 1"]


def test_scores_come_in_the_order_of_the_texts():
    model = load(TINY)
    texts = ["1 2 3", "4", "1 2 3", "5 6", "7 8 9"]
    one_by_one = [model.predict_n_best([text])[0][0] for text in texts]
    for batch_size in (1, 2, 5):
        together = [outputs[0] for outputs in model.predict_n_best(texts, batch_size)]
        assert [output for output, _ in together] == [output for output, _ in one_by_one]
        assert [score for _, score in together] == pytest.approx([score for _, score in one_by_one], abs=1e-5)
    assert model.predict([]) == []


def test_a_text_that_cannot_be_expressed_is_refused():
    with pytest.raises(ValueError, match="22 is out of range"):
        load(TINY).predict(["1 22"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b.update(format=2), "bundle format 2; this seqlab reads format 3"),
        (lambda b: b["model"].update(_target_="os.system"), r"os\.system is not an architecture"),
        (lambda b: b["model"].update(_target_="no.such.Model"), r"no\.such\.Model, which cannot be imported"),
        (lambda b: b["model"].update(surprise=1), r"model\.surprise: unknown key"),
        (lambda b: b["model"].update(width=17), "these weights are not of this model"),
        (lambda b: b["model"].update(target_size=15), "target vocabulary is 15, but its tokenizer's is 14"),
        (lambda b: b["search"].update(_target_="os.system"), r"os\.system is not a search"),
        (lambda b: b["search"].update(_target_="seqlab.decoding.Step"), r"Step is not a search"),
        (lambda b: b["search"].update(_target_="seqlab.decoding.Search"), "search: .* abstract"),
        (lambda b: b["search"].update(max_length=0), "search: max_length must be at least 1, but is 0"),
        (lambda b: b.pop("search"), "no 'search'"),
        (lambda b: b.pop("stream"), "no 'stream'"),
        (lambda b: b.update(stream=64), "stream: "),
        (lambda b: b.update(stream={"boundaries": "none"}), "stream: .* 'length'"),
        (lambda b: b.update(stream={"boundaries": "page", "length": 5}), r"stream\.boundaries must be .* none"),
        (lambda b: b.update(stream={"boundaries": "none", "length": 0}), "length must be at least 1, but is 0"),
    ],
)
def test_a_bundle_that_does_not_fit_is_refused_by_what_is_wrong(bundle, change, message):
    rewrite(bundle / "bundle.json", change)
    with pytest.raises(InputError, match=message):
        load(bundle)


def test_a_tokenizer_that_is_none_is_refused_and_not_called(bundle):
    rewrite(bundle / "tokenizers.json", lambda t: t[0].update({"class": "subprocess.Popen"}))
    with pytest.raises(InputError, match=r"'subprocess\.Popen' is not a Tokenizer"):
        load(bundle)


@pytest.mark.parametrize("name", ["bundle.json", "tokenizers.json", "weights.safetensors"])
def test_a_file_that_is_cut_off_is_named(bundle, name):
    path = bundle / name
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError, match=name):
        load(bundle)


def test_no_bundle_is_said(tmp_path):
    with pytest.raises(InputError, match=r"no bundle\.json here"):
        load(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        load(tmp_path / "nowhere")


def test_the_trained_bundle_of_the_repository_reverses():
    texts = ["3 1 2", "7", "15 14 1 1 5 9 2 7 3 8"]
    assert load(ROOT / "outputs/reference/reversal").predict(texts) == [
        " ".join(reversed(text.split())) for text in texts
    ]
