"""Results as files and on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from hydra_pruning_sweeper.messages import printable
from hydra_pruning_sweeper.text_table import TextTable, tsv_line
from seqlab.metrics.registry import written

SHOWN = 80
"""Characters of a continued text that a sample shows: of its prompt, its continuation and its reference each."""


def nested(metrics: dict[str, float]) -> dict[str, dict[str, float]]:
    """`{"val/teacher_forced/loss": x}` as `{"val": {"teacher_forced/loss": x}}`."""
    result: dict[str, dict[str, float]] = {}
    for name, value in metrics.items():
        split, _, rest = name.partition("/")
        result.setdefault(split, {})[rest] = value
    return result


def predictions_table(predictions: Sequence[Any]) -> str:
    """Predictions as TSV with a header, in the order of the split; those that could match say whether they do."""
    continued = any(one.match is None for one in predictions)
    columns = ("prompt", "continuation") if continued else ("source", "prediction")
    rows = [(*columns, "reference", "score", *(() if continued else ("match",)))]
    for one in predictions:
        match = () if one.match is None else (str(one.match).lower(),)
        rows.append((one.source, one.prediction, one.reference, f"{one.score:.4f}", *match))
    return "".join(f"{tsv_line(row)}\n" for row in rows)


def sample(one: Any) -> str:
    """A prediction as a line to look at; of a long continuation what stands around its beginning."""
    prompt, *others = map(printable, (one.source, one.prediction, one.reference))
    if one.match is not None:
        return f"{prompt}  →  {others[0]}  " + ("=" if one.match else f"≠  {others[1]}")
    shown = [text if len(text) <= SHOWN else f"{text[:SHOWN]}…" for text in others]
    return f"{prompt if len(prompt) <= SHOWN else f'…{prompt[-SHOWN:]}'}  →  {shown[0]}  |  {shown[1]}"


def print_summary(result: dict[str, Any], samples: Sequence[Any], folder: Path, trust: str = "") -> None:
    """What came out: a table of metrics by split, some predictions, where things are and what to type next.

    Args:
        trust: what is to be typed so that the bundle's classes are imported.
    """
    console = Console(highlight=False, soft_wrap=True, markup=False)
    shown = printable(str(folder))
    console.print()
    metrics_table(result["metrics"]).show(console)
    for one in samples:
        console.print(f"  {sample(one)}")
    epochs, steps = result["epochs"], result["steps"]
    console.print(f"\n{epochs} epochs, {steps:,} steps in {result['seconds']['fit']:.1f} s; measured the", end=" ")
    console.print(f"{result['weights']} weights in {result['seconds']['measure']:.1f} s; kept in {shown}")
    training = result["training"]
    console.print(
        f"{training['tokens']:,} target tokens, {training['tokens_per_second']:,.0f} a second of training;"
        f" about {training['flops'] / 1e12:.3g} TFLOP"
    )
    if any(one.match is None for one in samples):
        console.print(f'continue with   seqlab-generate run={shown}{trust} prompt="TEXT"')
    else:
        console.print(f"predict with    seqlab-predict run={shown}{trust} input=FILE")


def metrics_table(metrics: dict[str, dict[str, float]]) -> TextTable:
    """One row per metric, one column per split."""
    table = TextTable(["metric", *metrics], "l" + "r" * len(metrics))
    for name in dict.fromkeys(name for values in metrics.values() for name in values):
        table.add(name, *(number(name, values.get(name)) for values in metrics.values()))
    return table


def number(name: str, value: float | None) -> str:
    """A metric as a person reads it; "" where there is none."""
    return "" if value is None else written(name, value)
