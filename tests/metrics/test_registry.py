import re

import pytest
from support import ROOT

from seqlab.metrics.registry import METRICS, Metric, entry_of, notes, written
from seqlab.reproduction import claim_figures
from seqlab.training.results import number

NAMES = {one.name for one in METRICS if one.name not in ("loss", "perplexity", "bleu")}
"""Names that mean nothing but a metric."""


def test_no_other_file_has_a_table_of_metrics():
    """What computes or reads one metric names it; how metrics are called and written is said in one place."""
    told = r'"[^"]*\.\d[f%]|"[A-Za-z]+ ?[A-Za-z]*",|True|False'
    forms = re.compile(f'"[^"]*({"|".join(sorted(NAMES))})": *({told})')
    for path in (ROOT / "src/seqlab").rglob("*.py"):
        assert path.name == "registry.py" or not forms.search(path.read_text(encoding="utf-8")), path


def test_an_entry_is_formatted_alike_everywhere(monkeypatch):
    entry = Metric("free_running/rouge", "ROUGE", ".1%")
    monkeypatch.setattr("seqlab.metrics.registry.METRICS", (*METRICS, entry))
    assert number("free_running/rouge", 0.25) == "25.0%"
    assert claim_figures._format_spec("metrics.val.free_running/rouge", 0.25) == ".2%"


def test_a_metric_of_ones_own_is_written_plainly():
    own = entry_of("val/my_kind/word_error_rate")
    assert (own.label, own.more_is_better, own.is_share) == ("word error rate", True, False)
    assert number("my_kind/word_error_rate", 0.5) == "0.5000"


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("teacher_forced/loss", 1.23456, "1.2346"),
        ("val/free_running/exact_match", 0.5, "50.00%"),
        ("copy_nearest/bleu", 12.345, "12.35"),
        ("teacher_forced/token_accuracy", 1, "100.00%"),
        ("teacher_forced/loss", -0.00001, "0.0000"),
        ("val/free_running/chrf", -0.00001, "0.00"),
    ],
)
def test_values_are_written_by_their_entry(key, value, shown):
    assert written(key, value) == shown


def test_a_note_is_one_sentence_however_many_splits_have_the_metric():
    keys = [f"{split}/free_running/{name}" for split in ("val", "test") for name in ("exact_match", "token_accuracy")]
    (sentence,) = notes(keys)
    assert sentence.startswith("Token accuracy: tokens that the output has beyond the target's end do not count")


def test_keys_are_different_ones():
    assert len({one.key for one in METRICS}) == len(METRICS)
