"""The metrics, each with its label, number format, direction, and the places where it is shown.

Values are computed in `free_running` and `teacher_forced`; a new metric needs one entry in `METRICS` to be shown. A
metric without an entry (a custom one) uses its name as its label and four decimals, and appears wherever all metrics of
a run do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

LOSS, EXACT_MATCH = "teacher_forced/loss", "free_running/exact_match"
BLEU, TOKEN_BLEU = "free_running/bleu", "free_running/token_bleu"
BASELINES = {"copy_nearest": "copying the answer of the most similar training source"}
"""The kinds of metrics that need no model, in words."""
PLAIN = "z.4f"
"""The format of a metric without an entry. By the z, as in all formats here, what rounds to zero has no sign."""


@dataclass(frozen=True)
class Metric:
    """The entry of a metric.

    Args:
        key: "kind/name", as in `result.json` below its split.
        label: its name in tables and sentences.
        form: a format specification; if it ends in "%", the metric is a share, 0 to 1.
        more_is_better: False for losses.
        averaged: the unit over which its mean is taken: "token" (of the target), "byte", "sentence", or "corpus" if it
            is computed for the corpus as a whole.
        progress: its label in the line that each validation prints; "" leaves it out.
        compared: whether it is a column in the table of a multirun.
        on_page: whether it is a column in the report's tables.
        judges: whether it may decide which of several settings is best.
        by_length: whether it is also computed, and plotted, by the length of the source.
        note: what its label leaves open about how it counts.
    """

    key: str
    label: str
    form: str = PLAIN
    more_is_better: bool = True
    averaged: str = ""
    progress: str = ""
    compared: bool = False
    on_page: bool = False
    judges: bool = False
    by_length: bool = False
    note: str = ""

    @property
    def name(self) -> str:
        """The name without its kind."""
        return self.key.rpartition("/")[2]

    @property
    def is_share(self) -> bool:
        """Whether it is shown in percent."""
        return self.form.endswith("%")


_TO_THE_TARGETS_END = "tokens that the output has beyond the target's end do not count; in exact match they do"

METRICS = (
    Metric(
        LOSS,
        "loss",
        more_is_better=False,
        averaged="token",
        progress="loss",
        on_page=True,
        judges=True,
    ),
    Metric("teacher_forced/perplexity", "perplexity", more_is_better=False, averaged="token"),
    Metric("teacher_forced/token_accuracy", "token accuracy, teacher-forced", form="z.2%", averaged="token"),
    Metric(
        "teacher_forced/bits_per_byte",
        "bits per byte",
        more_is_better=False,
        averaged="byte",
        progress="bits/byte",
        compared=True,
        on_page=True,
        judges=True,
    ),
    Metric("free_running/edit_distance", "edit distance", more_is_better=False, averaged="token"),
    Metric(
        "free_running/token_accuracy_with_filler",
        "token accuracy with filler",
        form="z.2%",
        averaged="token",
        note=_TO_THE_TARGETS_END,
    ),
    Metric(
        "free_running/token_accuracy",
        "token accuracy",
        form="z.2%",
        averaged="token",
        progress="token accuracy",
        compared=True,
        on_page=True,
        by_length=True,
        note=_TO_THE_TARGETS_END,
    ),
    Metric(
        EXACT_MATCH,
        "exact match",
        form="z.2%",
        averaged="sentence",
        progress="exact match",
        compared=True,
        on_page=True,
        judges=True,
        by_length=True,
    ),
    Metric("free_running/chrf", "chrF", form="z.2f", averaged="corpus", progress="chrF", on_page=True),
    Metric(
        BLEU,
        "BLEU",
        form="z.2f",
        averaged="corpus",
        compared=True,
        on_page=True,
        judges=True,
        by_length=True,
    ),
    Metric(
        TOKEN_BLEU,
        "token BLEU",
        form="z.2f",
        averaged="corpus",
        compared=True,
        on_page=True,
        judges=True,
        note="over lower-cased words and punctuation marks",
    ),
)
"""In the order of a run's progress lines; the report shows them in reverse."""


def entry_of(key: str) -> Metric:
    """The entry of a metric; if its kind has none (`copy_nearest/bleu`), that of the same name, else a default.

    Args:
        key: "kind/name", with or without the split before it, or the name alone.
    """
    exact = next((one for one in METRICS if key == one.key or key.endswith(f"/{one.key}")), None)
    name = key.rpartition("/")[2]
    entry = exact or next((one for one in METRICS if one.name == name), None)
    return entry or Metric(key, name.replace("_", " "))


def notes(keys: Iterable[str]) -> list[str]:
    """What the labels of these metrics leave open, a sentence per label."""
    entries = dict.fromkeys(map(entry_of, keys))
    return [f"{one.label[0].upper()}{one.label[1:]}: {one.note}." for one in entries if one.note]


def written(key: str, value: float) -> str:
    """A value of a metric in its number format."""
    return format(value, entry_of(key).form)
