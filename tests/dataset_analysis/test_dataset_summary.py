"""What is said of a dataset is what can be counted by hand."""

import functools
import io
import json

import numpy as np
import pytest
from rich.console import Console

from seqlab.data.documents import Documents
from seqlab.data.text_pairs import TextPairs
from seqlab.data.toy import IntegerPairs
from seqlab.dataset_analysis import dataset_summary
from seqlab.dataset_analysis.dataset_summary import description_of, print_description
from seqlab.text.pairs import Pair
from seqlab.text.tokenizers import CharacterTokenizer, WordTokenizer


class Pairs(TextPairs):
    def pairs(self):
        train = [Pair("a b a", "A"), Pair("A  b a", "A"), Pair("a c", "A B C D E F G H I J K")]
        return {"train": train, "val": [Pair("a x", "A Y"), Pair("c", "B")]}

    def remarks(self):
        return ["2 files, skipped [1]: broken"]


@pytest.fixture
def found(tmp_path):
    data = Pairs(functools.partial(WordTokenizer.fit, lower=True), cache=tmp_path)
    data.setup("fit")
    return description_of(data)


def test_sides_are_counted(found):
    assert found["splits"]["train"] == {
        "examples": 3,
        "sides": {
            "sources": {
                "sentences": 3,
                "distinct": 2,  # case and spaces do not count
                "characters": 5 + 6 + 3,
                "tokens": 8,
                "unknown": 0,
                "mean_length": 8 / 3,
                "longest": 3,
            },
            "targets": {
                "sentences": 3,
                "distinct": 2,
                "characters": 1 + 1 + 21,
                "tokens": 13,
                "unknown": 0,
                "mean_length": 13 / 3,
                "longest": 11,
            },
            "pairs": {"sentences": 3, "distinct": 2},
        },
    }


def test_unknown_tokens_are_a_share_of_all(found):
    sides = found["splits"]["val"]["sides"]
    assert (sides["sources"]["unknown"], sides["targets"]["unknown"]) == (1 / 3, 1 / 3)


def test_types_of_training_are_counted(found):
    assert found["vocabularies"] == {
        "sources": {"size": 4 + 3, "used": 3, "once": 1 / 3},  # a and b, and c once
        "targets": {"size": 4 + 11, "used": 11, "once": 10 / 11},
    }


def test_lengths_are_counted_up_to_their_limits(found):
    assert found["lengths"] == {
        "limits": [2, 4, 6, 8, 10, 12],
        "sources": [1, 2, 0, 0, 0, 0, 0],
        "targets": [2, 0, 0, 0, 0, 1, 0],
    }


@pytest.mark.parametrize(("lengths", "limits", "counts"), [([], [1], [0, 0]), ([0, 0], [1], [2, 0])])
def test_no_lengths_are_no_error(lengths, limits, counts):
    found = dataset_summary._histogram({"side": np.array(lengths, dtype=int)})
    assert found == {"limits": limits, "side": counts}


def test_one_in_a_hundred_is_beyond_the_last_limit():
    found = dataset_summary._histogram({"side": np.array([7] * 995 + [700] * 5)})
    assert found == {"limits": list(range(1, 8)), "side": [0] * 6 + [995, 5]}


def test_leakage_stands_beside(found):
    assert found["leakage"]["val"]["targets"]["copies"] == 0
    assert found["leakage"]["val"]["sources"]["sentences"] == 2


def test_it_is_ready_for_json(found):
    assert json.loads(json.dumps(found)) == found


def test_a_language_model_has_one_side(tmp_path):
    (tmp_path / "notes.txt").write_text("A cat. A dog. A bird, and a fish.", encoding="utf-8")
    data = Documents(
        CharacterTokenizer.fit, tmp_path / "notes.txt", split="tail", val_share=0.6, length=5, cache=tmp_path / "c"
    )
    data.setup("fit")
    found = description_of(data)
    assert {split: side["sides"]["sentences"]["sentences"] for split, side in found["splits"].items()} == {
        "train": 2,
        "val": 1,
    }
    assert found["vocabularies"]["sentences"]["used"] == len(set("A cat. A dog."))


def test_what_is_printed_holds_every_number(found, monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(dataset_summary, "Console", functools.partial(Console, file=screen))
    print_description(found)
    lines = [" ".join(line.split()) for line in screen.getvalue().splitlines()]
    assert "2 files, skipped [1]: broken" in lines
    assert "train sources 3 2 14 8 0% 2.7 3" in lines
    assert "val pairs 2 2" in lines
    assert "targets 15 11 90.9%" in lines
    assert "val sources 0% 0% – – – 0.00 0.00 0.00" in lines
    assert [line for line in lines if line.startswith("12 ")] == ["12 0 ████████████ 1"]
    assert not any(line.startswith("over") for line in lines)


def test_without_held_out_splits_there_is_no_leakage(tmp_path, monkeypatch):
    data = IntegerPairs([("1 2", "2 1")], cache=tmp_path)
    data.setup("fit")
    del data.examples["val"], data.examples["test"]
    screen = io.StringIO()
    monkeypatch.setattr(dataset_summary, "Console", functools.partial(Console, file=screen))
    print_description(description_of(data))
    assert "leakage" not in screen.getvalue()
