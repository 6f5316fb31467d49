"""Results as files and on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from hydra_pruning_sweeper.messages import isolated, plural, printable, unbroken, wrapped
from hydra_pruning_sweeper.text_table import TextTable, tsv_line
from seqlab.metrics.registry import BASELINES, EXACT_MATCH, TOKEN_BLEU, entry_of, notes, written
from seqlab.runs.result import GENERATED, MOST_WAITED, Metrics, RunResult
from seqlab.runs.samples import evenly_spaced
from seqlab.runs.small_splits import uncertainty
from seqlab.text.tokenizers.vocabularies import words_and_marks

SAMPLES = 5
"""How many predictions a summary shows."""

WAITED = "it waited for a core for up to {:.0%} of its seconds, since others used them: do not compare its times"
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
        rows.append((one.source, one.prediction, one.reference, f"{one.score:z.4f}", *match))
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
    metrics = without_bleu_of_words(result.metrics, predictions)
    metrics_table(metrics).show(console)
    for line in [*small_splits(result), *seeming_contradictions(metrics), *behind_copying(metrics)]:
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
        f" {unbroken(f'about {training.teraflops:.3g} TFLOP')}{_memory(training.mebibytes)}",
        *_generation(result),
        *([WAITED.format(result.share_waited)] if result.share_waited > MOST_WAITED else []),
        f"kept in {shown}",
    ):
        console.print(wrapped(line, indent=2))
    if any(one.match is None for one in predictions):
        console.print(f'continue with   seqlab-generate run={shown}{trust} prompt="TEXT"')
    else:
        console.print(f"predict with    seqlab-predict run={shown}{trust} input=FILE")


def _memory(mebibytes: float | None) -> str:
    return "" if mebibytes is None else f", {unbroken(f'at most {mebibytes:,.0f} MiB')} of memory"


def _generation(result: RunResult) -> list[str]:
    """A line on how fast outputs are generated, with each search."""
    speeds = {kind: cost.get("per_second") for kind, cost in result.generation.items()}
    texts = [
        f"{_speed(speed)} with {kind}" for kind, speed in speeds.items() if speed is not None and kind != GENERATED
    ]
    main = speeds.get(GENERATED)
    return [] if main is None else [", ".join([f"{_speed(main)} outputs generated per second", *texts])]


def _speed(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


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
    shares = {split: values.get(EXACT_MATCH) for split, values in result.metrics.items()}
    lines = (
        uncertainty(split, count, share)
        for split, count in result.measured.items()
        if split != "train" and (share := shares.get(split)) is not None
    )
    return [line for line in lines if line is not None]


def seeming_contradictions(metrics: Metrics) -> list[str]:
    """A line on token accuracy if it is shown as 100 % beside an exact match that is not."""
    accuracy, match = "free_running/token_accuracy", EXACT_MATCH
    beside = [(number(accuracy, one.get(accuracy)), number(match, one.get(match))) for one in metrics.values()]
    return notes([accuracy]) if any(pair[0] == "100.00%" != pair[1] for pair in beside) else []


def behind_copying(metrics: Metrics) -> list[str]:
    """A line on the last split on which copying the answer of the most similar training source beats the model."""
    kind, entry = "copy_nearest", entry_of(TOKEN_BLEU)
    for split, values in reversed(list(metrics.items())):
        copied, generated = values.get(f"{kind}/{entry.name}"), values.get(entry.key)
        if copied is not None and generated is not None and copied > generated:
            figures = f"{copied:{entry.form}} against {generated:{entry.form}}"
            return [f"{BASELINES[kind]} beats it on {split}: {entry.label} {figures}"]
    return []


def metrics_table(metrics: Metrics) -> TextTable:
    """One row per metric, one column per split."""
    table = TextTable(["metric", *metrics], "l" + "r" * len(metrics))
    for name in dict.fromkeys(name for values in metrics.values() for name in values):
        table.add(name, *(number(name, values.get(name)) for values in metrics.values()))
    return table


def number(name: str, value: float | None) -> str:
    """A metric as a person reads it; "" if it was not measured."""
    return "" if value is None else written(name, value)
