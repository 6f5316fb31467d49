"""What a digest says of settings: resolved, and without the folders of a machine."""

import shlex

import pytest

from seqlab.runs.anonymise import resolved, shown, text_without_machine, without_machine


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
        ("/Users/Ann Smith/clients/acme/pairs.tsv", "…/pairs.tsv"),
        ("data.path=/home/Dropbox (Acme)/Ann's/a\\, b/x(1)/y.tsv", "data.path=…/y.tsv"),
        ("data.include=[/a b/c d.txt, '/e/f g',b/c]", "data.include=[…/c d.txt, '…/f g',b/c]"),
        ("{path:/home/ann/y.tsv}", "{path:…/y.tsv}"),
        ("/home//ann/x", "…/x"),
        ("/a/x.tsv /b/y.tsv", "…/x.tsv …/y.tsv"),
        ("~ann/x.tsv", "…/x.tsv"),
        ("data.include=[~ann/x.tsv,'~ann-b/c/y.tsv']", "data.include=[…/x.tsv,'…/y.tsv']"),
        ("file:///home/ann/x.tsv", "file:…/x.tsv"),
        ("file://localhost/home/ann/x.tsv", "file:…/x.tsv"),
        ("sqlite:///outputs/x.db", "sqlite:///outputs/x.db"),
        ("sqlite:////home/ann/x.db", "sqlite:…/x.db"),
        ("hf://USER/NAME/x, http://host:80/a/b", "hf://USER/NAME/x, http://host:80/a/b"),
        ("km / h, ~3/4, 1/2/3", "km / h, ~3/4, 1/2/3"),
        ("/a" + "\\" * 999, "/a" + "\\" * 999),
        (0.5, 0.5),
    ],
)
def test_absolute_folders_are_left_out(text, left):
    assert without_machine({"some": [text]}) == {"some": [left]}


@pytest.mark.parametrize(
    "words",
    [
        ["data.path=/Users/Ann Smith/clients/acme/pairs.tsv", "seed=1", "data.other=/b c/d", "a/b"],
        ["data.path='/Users/Ann Smith/acme/pairs.tsv'", "+x={path:/home/ann/y.tsv}", "a b/c"],
        ["data.path=/Users/Ann's files/x.tsv", 'y="/Users/Bob\'s files/y.tsv"', "~model/small"],
    ],
)
def test_a_command_line_is_that_of_the_words_without_folders(words):
    text = f"It's a run of /home/ann/x.tsv on 3/4 of it, isn't it:\n\n    {shlex.join(words)}\n"
    kept = shlex.join([word if word.startswith("~") else without_machine(word) for word in words])
    assert text_without_machine(text) == f"It's a run of …/x.tsv on 3/4 of it, isn't it:\n\n    {kept}\n"
    assert not any(name in kept for name in ("Users", "home", "nn", "Bob", "acme", "b c"))


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
