"""Results as files and on the screen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from hydra_pruning_sweeper.messages import isolated, plural, printable, unbroken, wrapped
from hydra_pruning_sweeper.text_table import TextTable, tsv_line
from seqlab.metrics.registry import written
from seqlab.runs.result import Metrics, RunResult
from seqlab.runs.samples import evenly_spaced
from seqlab.text.tokenizers.vocabularies import words_and_marks

SAMPLES = 5
"""How many predictions a summary shows."""

FEW = 100
"""A split with fewer examples is pointed out."""

SHOWN = 80
"""How many characters a sample shows of each of the prompt, the continuation and the reference."""


def nested(metrics: dict[str, float]) -> dict[str, dict[str, float]]:
    """`{"val/teacher_forced/loss": x}` as `{"val": {"teacher_forced/loss": x}}`."""
    result: dict[str, dict[str, float]] = {}
    for name, value in metrics.items():
        split, _, rest = name.partition("/")
        result.setdefault(split, {})[rest] = value
    return result


def predictions_table(predictions: Sequence[Any]) -> str:
    """Predictions as TSV with a header, in the order of the split; `match` is left out of continued texts."""
    continued = any(one.match is None for one in predictions)
    columns = ("prompt", "continuation") if continued else ("source", "prediction")
    rows = [(*columns, "reference", "score", *(() if continued else ("match",)))]
    for one in predictions:
        match = () if one.match is None else (str(one.match).lower(),)
        rows.append((one.source, one.prediction, one.reference, f"{one.score:.4f}", *match))
    return "".join(f"{tsv_line(row)}\n" for row in rows)


def samples(predictions: Sequence[Any]) -> list[Any]:
    """A few predictions from short to long sources: some that match their reference and some that do not, in about
    their shares, where there are both."""
    by_length = sorted(predictions, key=lambda one: len(one.source.split()))  # of equal length: in their order
    matching = [one for one in by_length if one.match]
    others = [one for one in by_length if not one.match]
    if not (matching and others):
        return evenly_spaced(by_length, SAMPLES)
    share = round(SAMPLES * len(others) / len(by_length))
    shown = min(max(share, 1, SAMPLES - len(matching)), SAMPLES - 1)
    chosen = evenly_spaced(others, shown) + evenly_spaced(matching, SAMPLES - shown)
    return sorted(chosen, key=lambda one: len(one.source.split()))


def sample_line(one: Any) -> str:
    """A prediction as one line; of a long continuation, the text around its beginning."""
    prompt, *others = map(printable, (one.source, one.prediction, one.reference))
    if one.match is not None:
        prompt, prediction, reference = map(isolated, (prompt, *others))
        return f"{prompt}  →  {prediction}  " + ("=" if one.match else f"≠  {reference}")
    shown = [isolated(text if len(text) <= SHOWN else f"{text[:SHOWN]}…") for text in others]
    return f"{isolated(prompt if len(prompt) <= SHOWN else f'…{prompt[-SHOWN:]}')}  →  {shown[0]}  |  {shown[1]}"


def print_summary(result: RunResult, predictions: Sequence[Any], folder: Path, trust: str = "") -> None:
    """Prints a table of metrics by split, some predictions, the run's folder and the line to type next.

    Args:
        predictions: all of one split.
        trust: the argument to type so that the bundle's classes are imported; "" if none is needed.
    """
    console = Console(highlight=False, soft_wrap=True, markup=False)
    shown = printable(str(folder))
    console.print()
    metrics_table(without_bleu_of_words(result.metrics, predictions)).show(console)
    for line in small_splits(result):
        console.print(wrapped(line, indent=2))
    for one in samples(predictions):
        console.print(wrapped(f"  {sample_line(one)}", indent=6))
    seconds, training = result.seconds, result.training
    trained = f"{plural(result.epochs or 0, 'epoch')}, {plural(result.steps or 0, 'step')}"
    console.print()
    for line in (
        f"{trained} in {unbroken(f'{seconds.fit:.1f} s')} with validation;"
        f" {result.weights} weights evaluated in {unbroken(f'{seconds.measure:.1f} s')}",
        f"{training.tokens:,} target tokens, {training.tokens_per_second:,.0f} per second of training;"
        f" {unbroken(f'about {training.teraflops:.3g} TFLOP')}",
        f"kept in {shown}",
    ):
        console.print(wrapped(line, indent=2))
    if any(one.match is None for one in predictions):
        console.print(f'continue with   seqlab-generate run={shown}{trust} prompt="TEXT"')
    else:
        console.print(f"predict with    seqlab-predict run={shown}{trust} input=FILE")


def without_bleu_of_words(metrics: Metrics, predictions: Sequence[Any]) -> Metrics:
    """The metrics without BLEU, which counts sequences of words, where each reference is a single one."""
    if any(len(words_and_marks(one.reference)) > 1 for one in predictions):
        return metrics
    return {
        split: {name: value for name, value in values.items() if "bleu" not in name}
        for split, values in metrics.items()
    }


def small_splits(result: RunResult) -> list[str]:
    """A line for each held-out split with few examples: how uncertain its exact match is."""
    lines = []
    for split, count in result.measured.items():
        share = result.metrics.get(split, {}).get("free_running/exact_match")
        if split != "train" and share is not None and count < FEW:
            low, high = share_interval(share, count)
            lines.append(
                f"{split} has only {plural(count, 'example')}: its exact match of {share:.0%} may as well be anything"
                f" from {low:.0%} to {high:.0%} (95 % interval)"
            )
    return lines


def share_interval(share: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share of `count` examples (Wilson 1927, "Probable inference, the law of succession")."""
    z = 1.96
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def metrics_table(metrics: Metrics) -> TextTable:
    """One row per metric, one column per split."""
    table = TextTable(["metric", *metrics], "l" + "r" * len(metrics))
    for name in dict.fromkeys(name for values in metrics.values() for name in values):
        table.add(name, *(number(name, values.get(name)) for values in metrics.values()))
    return table


def number(name: str, value: float | None) -> str:
    """A metric as a person reads it; "" if it was not measured."""
    return "" if value is None else written(name, value)
