"""What is known of each metric: its label, how its values are written, whether more is better, and where it is shown.

A new metric is one entry of `METRICS`. A metric without an entry (a user's own) has its name as its label, four digits
behind the point, and appears wherever all metrics of a run do.
"""

from __future__ import annotations

from dataclasses import dataclass

PLAIN = ".4f"
"""How a metric is written of which no more is known."""


@dataclass(frozen=True)
class Metric:
    """A metric, by kind and name.

    Args:
        key: "kind/name", as in `result.json` below its split.
        label: what tables and sentences call it.
        form: a format specification; one that ends in "%" is of a share, 0 to 1.
        more_is_better: False of losses.
        averaged: what its mean is taken over: a target token, a byte, a sentence, or the corpus as a whole.
        progress: written into the line of each validation, with this label; "" if it is not.
        compared: a column of the table of a multirun.
        on_page: a column of the report's tables.
        judges: may decide which of several settings is best.
        by_length: measured by the length of the source, too, and plotted.
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

    @property
    def name(self) -> str:
        """Without its kind."""
        return self.key.rpartition("/")[2]

    @property
    def is_share(self) -> bool:
        """Whether it is written in percent."""
        return self.form.endswith("%")


METRICS = (
    Metric(
        *("teacher_forced/loss", "loss", PLAIN, False, "token"),
        progress="loss",
        on_page=True,
        judges=True,
    ),
    Metric("teacher_forced/perplexity", "perplexity", PLAIN, False, "token"),
    Metric("teacher_forced/token_accuracy", "token accuracy, teacher-forced", ".2%", True, "token"),
    Metric(
        *("teacher_forced/bits_per_byte", "bits per byte", PLAIN, False, "byte"),
        progress="bits/byte",
        compared=True,
        on_page=True,
        judges=True,
    ),
    Metric("free_running/edit_distance", "edit distance", PLAIN, False, "token"),
    Metric("free_running/token_accuracy_with_filler", "token accuracy with filler", ".2%", True, "token"),
    Metric(
        *("free_running/token_accuracy", "token accuracy", ".2%", True, "token"),
        progress="token accuracy",
        compared=True,
        on_page=True,
        by_length=True,
    ),
    Metric(
        *("free_running/exact_match", "exact match", ".2%", True, "sentence"),
        progress="exact match",
        compared=True,
        on_page=True,
        judges=True,
        by_length=True,
    ),
    Metric("free_running/chrf", "chrF", ".2f", True, "corpus", progress="chrF", on_page=True),
    Metric(
        *("free_running/bleu", "BLEU", ".2f", True, "corpus"),
        compared=True,
        on_page=True,
        judges=True,
        by_length=True,
    ),
    Metric(
        *("free_running/token_bleu", "token BLEU", ".2f", True, "corpus"),
        compared=True,
        on_page=True,
        judges=True,
    ),
)
"""From what a training run shows first to what a reader asks for first: the report goes through them backwards."""


def metric(key: str) -> Metric:
    """The entry of a metric: of another kind (`copy_nearest/bleu`) that of the same name; else a plain default.

    Args:
        key: "kind/name", with the split before it or not, or the name alone.
    """
    exact = next((one for one in METRICS if key == one.key or key.endswith(f"/{one.key}")), None)
    name = key.rpartition("/")[2]
    alike = exact or next((one for one in METRICS if one.name == name), None)
    return alike or Metric(key, name.replace("_", " "))


def written(key: str, value: float) -> str:
    """A value of a metric as a person reads it."""
    return format(value, metric(key).form)
