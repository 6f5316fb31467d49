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


def test_one_text_is_not_taken_for_several_of_one_character():
    with pytest.raises(TypeError, match=r"'1 2 3'; put it in a list"):
        load(TINY).predict("1 2 3")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b.update(format=3), "bundle format 3; this seqlab reads format 4: it is of an earlier seqlab"),
        (lambda b: b.update(format=5), "bundle format 5; this seqlab reads format 4: it is of a newer seqlab; update"),
        (lambda b: b.update(format=True), "bundle format True; this seqlab reads format 4: there is no such format"),
        (lambda b: b["model"].update(kind="os.system"), r"unknown kind of model 'os\.system'; known are bahdanau"),
        (lambda b: b["model"].update(kind="os:system"), r"its model is os:system, of a package that is not trusted"),
        (lambda b: b["model"]["settings"].update(surprise=1), r"model\.surprise: unknown key"),
        (lambda b: b["model"]["settings"].update(width=17), "these weights are not of this model: .* more"),
        (lambda b: b["model"]["settings"].pop("source_size"), "model: .*source_size"),
        (lambda b: b["search"].update(kind="os:system"), r"its search is os:system, of a package that is not trusted"),
        (lambda b: b["search"]["settings"].update(max_length=0), "search: max_length must be at least 1, but is 0"),
        (lambda b: b["search"]["settings"].update(max_length=10**9), "max_length must be at most 1,000,000"),
        (lambda b: b["search"]["settings"].update(max_length=2.5), "search.max_length must be an integer, but is 2.5"),
        (
            lambda b: b.update(
                search={"kind": "beam", "settings": {"max_length": 10**4, "size": 10**4, "n_best": 10**4}}
            ),
            "max_length times outputs",
        ),
        (lambda b: b.pop("search"), "no 'search'"),
        (lambda b: b["search"].update(more=1), "no 'search' with kind and settings"),
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


def test_a_tokenizer_of_another_size_is_refused(bundle):
    rewrite(bundle / "tokenizers.json", lambda t: t[1]["settings"].update(largest=10))
    with pytest.raises(InputError, match="target vocabulary has 14 symbols, but the tokenizer's has 15"):
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
    assert load(ROOT / "outputs/reference/reversal/bahdanau").predict(texts) == [
        " ".join(reversed(text.split())) for text in texts
    ]
