"""What a digest says of settings: resolved, and without the folders of a machine."""

import pytest

from seqlab.runs.anonymise import resolved, shown, without_machine


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/home/anna/corpora/multi30k", "…/multi30k"),
        ("data.path=/home/anna/corpora/multi30k", "data.path=…/multi30k"),
        ("data.include=[/a/b/c.txt,'/d/e f']", "data.include=[…/c.txt,'…/e f']"),
        ("~/corpora/x.tsv", "…/x.tsv"),
        ("../shared/data/anki/fra-eng.zip", "../shared/data/anki/fra-eng.zip"),
        ("outputs/cache", "outputs/cache"),
        ("${oc.env:SEQLAB_DATA,../shared/data}/multi30k", "${oc.env:SEQLAB_DATA,../shared/data}/multi30k"),
        ("https://host.org/a/b", "https://host.org/a/b"),
        ("nrefs:1|case:lc", "nrefs:1|case:lc"),
        (0.5, 0.5),
    ],
)
def test_absolute_folders_are_left_out(text, left):
    assert without_machine({"some": [text]}) == {"some": [left]}


def test_references_among_settings_are_resolved():
    settings = {
        "seed": 7,
        "data": {"order_seed": "${seed}", "path": "${oc.env:HOME}/x", "tokenizer": "${tokenizer}"},
        "tokenizer": {"size": "${sizes.small}", "note": "seed ${seed}, of ${nothing}"},
        "sizes": {"small": 11},
        "a": "${b}",
        "b": "${a}",
    }
    found = resolved(settings)
    assert found["data"]["order_seed"] == 7
    assert found["data"]["path"] == "${oc.env:HOME}/x"
    assert found["data"]["tokenizer"] == {"size": 11, "note": "seed 7, of ${nothing}"}
    assert found["a"] in ("${a}", "${b}")  # a circle stays as it is written


def test_a_folder_is_shown_as_it_is_typed(tmp_path, monkeypatch):
    (tmp_path / "outputs/runs/some").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "outputs/runs/some") == "outputs/runs/some"
    monkeypatch.chdir(tmp_path / "outputs/runs/some")
    assert shown(tmp_path / "outputs/runs") == "…/outputs/runs"
