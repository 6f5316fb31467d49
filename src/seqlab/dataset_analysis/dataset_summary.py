"""What `seqlab-describe` prints: splits, vocabularies, lengths and leakage of a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.text import Text

from hydra_pruning_sweeper.messages import wrapped
from hydra_pruning_sweeper.text_table import TextTable
from seqlab.config.data_and_model import build_data
from seqlab.config.settings import DescribeSettings
from seqlab.data.module import SequenceData
from seqlab.data.passages import Passages
from seqlab.data.text_pairs import TextPairs
from seqlab.dataset_analysis.cautions import cautions
from seqlab.dataset_analysis.first_look import pair_lines, striking_pairs
from seqlab.dataset_analysis.overlap import leakage_of
from seqlab.files import write_json
from seqlab.metrics.leakage import COMPARED, NEAR, NGRAMS, percent
from seqlab.quiet import quiet
from seqlab.special_tokens import UNK
from seqlab.text.hashes import folded, hashed_texts

BINS = 10
"""Bins of the histogram of lengths; one more holds all longer passages."""
BAR = 24
"""Length of the longest bar, in characters."""
LEAKAGE_COLUMNS = (
    "same: sentences that appear in training, ignoring case and spaces",
    f"nearly: sentences whose similarity to one in training is above {NEAR}",
    "n-grams: runs of n tokens that appear in training, of all such runs; –: no passage is that long",
    "mean, median, p90 (a tenth is above it): similarity to the nearest training sentence, 1 being the same: Jaccard"
    f" similarity of their sets of five consecutive characters, of at most {COMPARED:,} sentences",
)
"""What the columns of the table of leakage are."""


def describe(settings: DescribeSettings) -> None:
    """Prints the description of a dataset, and writes it as JSON if `output` names a file.

    Raises:
        InputError: settings or files that cannot be used.
    """
    quiet()
    data = build_data(settings.data)
    description = description_of(data)
    print_description(description)
    if settings.output is not None:
        write_json(Path(settings.output), description)
        print(f"\nwritten to {settings.output}")


def description_of(data: SequenceData) -> dict[str, Any]:
    """Splits, their sides, vocabularies, lengths of training passages and leakage, as plain data for JSON.

    BOS, EOS and fillers are not counted; shares are 0 to 1.
    """
    tallies = {split: _SplitTally(data, split) for split in data.splits}
    sizes = {"sources": data.source_size}  # every other side uses the target's tokenizer
    training = tallies["train"].sides
    return {
        "data": data.describe(),
        "remarks": [*data.remarks(), *cautions(data)],
        "pairs": striking_pairs(data) if isinstance(data, TextPairs) else {},
        "splits": {split: {"examples": len(data.examples[split]), **tally.facts()} for split, tally in tallies.items()},
        "vocabularies": {
            name: {"size": sizes.get(name, data.target_size), **side.types()} for name, side in training.items()
        },
        "lengths": _histogram({name: side.lengths() for name, side in training.items()}),
        "leakage": {split: leakage.to_json() for split, leakage in leakage_of(data).items()},
    }


class _Texts:
    """Counts texts, and distinct texts ignoring case and spaces."""

    def __init__(self) -> None:
        self._hashes = [np.empty(0, np.uint64)]

    def add(self, texts: list[str]) -> None:
        self._hashes.append(hashed_texts(texts))

    def facts(self) -> dict[str, Any]:
        hashes = np.concatenate(self._hashes)
        return {"sentences": len(hashes), "distinct": len(np.unique(hashes))}


class _SideTally:
    """Counts of one side of a split."""

    def __init__(self) -> None:
        self._texts, self._characters = _Texts(), 0
        self._lengths = [np.empty(0, np.int64)]
        self._counts = np.zeros(UNK + 1, dtype=np.int64)  # by id

    def add(self, part: Passages, texts: list[str]) -> None:
        self._texts.add(texts)
        self._characters += sum(map(len, part.sentences))
        self._lengths.append(part.tokens.lengths)
        counts = np.bincount(part.tokens.values[:], minlength=len(self._counts))
        counts[: len(self._counts)] += self._counts
        self._counts = counts

    def lengths(self) -> np.ndarray:
        return np.concatenate(self._lengths)

    def facts(self) -> dict[str, Any]:
        lengths, tokens = self.lengths(), int(self._counts.sum())
        return {
            **self._texts.facts(),
            "characters": self._characters,
            "tokens": tokens,
            "unknown": int(self._counts[UNK]) / tokens if tokens else None,
            "mean_length": float(lengths.mean()) if len(lengths) else None,
            "longest": int(lengths.max(initial=0)),
        }

    def types(self) -> dict[str, Any]:
        counts = np.delete(self._counts, UNK)
        used = int((counts > 0).sum())
        return {"used": used, "once": int((counts == 1).sum()) / used if used else None}


class _SplitTally:
    """Counts of a split."""

    def __init__(self, data: SequenceData, split: str) -> None:
        self.sides: dict[str, _SideTally] = {}
        self._pairs = _Texts()
        for sides in data.passages(split):
            texts = {name: [folded(sentence) for sentence in part.sentences] for name, part in sides.items()}
            for name, part in sides.items():
                self.sides.setdefault(name, _SideTally()).add(part, texts[name])
            if len(sides) > 1:
                self._pairs.add(["\0".join(pair) for pair in zip(*texts.values(), strict=True)])

    def facts(self) -> dict[str, Any]:
        sides = {name: side.facts() for name, side in self.sides.items()}
        return {"sides": sides | ({"pairs": self._pairs.facts()} if len(sides) > 1 else {})}


def _histogram(lengths: dict[str, np.ndarray]) -> dict[str, Any]:
    """The number of passages per bin, by side; at most one in a hundred is longer than the last limit."""
    largest = max([1.0, *(float(np.quantile(side, 0.99)) for side in lengths.values() if len(side))])
    step = _round_step(largest / BINS)
    limits = [step * (i + 1) for i in range(int(np.ceil(largest / step)))]
    counts = {
        name: np.bincount(np.searchsorted(limits, side), minlength=len(limits) + 1).tolist()
        for name, side in lengths.items()
    }
    return {"limits": limits, **counts}


def _round_step(least: float) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50 … that is not below `least`."""
    return next(step for power in range(20) for step in (10**power, 2 * 10**power, 5 * 10**power) if step >= least)


def print_description(description: dict[str, Any]) -> None:
    """Prints a `description_of` a dataset as tables."""
    console = Console(highlight=False, soft_wrap=True)
    for line in (description["data"], *description["remarks"]):
        console.print(wrapped(line), markup=False)
    if description["pairs"]:
        _print_heading(console, "pairs", "some of training, long ones shortened")
        for name, pair in description["pairs"].items():
            for line in pair_lines(name, *pair):
                console.print(line, markup=False)
    _print_heading(
        console,
        "splits",
        "distinct sentences ignore case and spaces; letters are characters of any kind; tokens are counted without BOS,"
        " EOS and fillers; mean and most are tokens per passage",
    )
    _splits_table(description["splits"]).show(console)
    _print_heading(console, "vocabularies", "learnt from training, the four special symbols included")
    _vocabularies_table(description["vocabularies"]).show(console)
    _print_heading(
        console, "lengths in training", "passages with up to so many tokens, and more than in the line above"
    )
    _lengths_table(description["lengths"]).show(console)
    if description["leakage"]:
        _print_heading(
            console, "leakage", "how much of the held-out splits appears in training, where memory is enough"
        )
        _leakage_table(description["leakage"]).show(console)
        for line in LEAKAGE_COLUMNS:
            console.print(wrapped(line, indent=2), markup=False)


def _print_heading(console: Console, head: str, explained: str) -> None:
    text = Text(f"\n{wrapped(f'{head}: {explained}')}")
    text.stylize("bold", 0, len(head) + 1)
    console.print(text)


def _table(*heads: str) -> TextTable:
    """A table of numbers, with labels in the first column."""
    return TextTable(heads, "l" + "r" * (len(heads) - 1))


def _splits_table(splits: dict[str, Any]) -> TextTable:
    table = _table("", "sentences", "distinct", "letters", "tokens", "unknown", "mean", "most")
    for split, facts in splits.items():
        for name, side in facts["sides"].items():
            cells = [f"{side['sentences']:,}", f"{side['distinct']:,}"]
            if "tokens" in side:
                mean = "" if side["mean_length"] is None else f"{side['mean_length']:.1f}"
                cells += [f"{side['characters']:,}", f"{side['tokens']:,}", percent(side["unknown"]), mean]
                cells += [f"{side['longest']:,}"]
            table.add(f"{split} {name}", *cells)
    return table


def _vocabularies_table(vocabularies: dict[str, Any]) -> TextTable:
    table = _table("", "size", "used in training", "of those, once")
    for name, one in vocabularies.items():
        table.add(name, f"{one['size']:,}", f"{one['used']:,}", percent(one["once"]))
    return table


def _bar(count: int, largest: int) -> str:
    """A bar of eighths of a character, padded to the length of the largest count's."""
    whole, eighths = divmod(8 * BAR * count // max(1, largest), 8)
    return ("█" * whole + " ▏▎▍▌▋▊▉"[eighths] * (eighths > 0)).ljust(BAR)


def _lengths_table(lengths: dict[str, Any]) -> TextTable:
    limits = lengths["limits"]
    sides = {name: counts for name, counts in lengths.items() if name != "limits"}
    table = TextTable(["", *(head for name in sides for head in (name, ""))], "r" + "lr" * len(sides))
    labels = [*(f"{limit:,}" for limit in limits), f"over {limits[-1]:,}"]
    for i, label in enumerate(labels):
        cells = [label]
        for counts in sides.values():
            cells += [_bar(counts[i], max(counts)), f"{counts[i]:,}"]
        if i < len(limits) or any(counts[i] for counts in sides.values()):
            table.add(*cells)
    return table


def _leakage_table(leakage: dict[str, Any]) -> TextTable:
    table = _table("", "same", "nearly", *(f"{n}-grams" for n in NGRAMS), "mean", "median", "p90")
    for split, sides in leakage.items():
        for name, side in sides.items():
            cells = [percent(side["copies"])]
            if (nearest := side["nearest"]) is not None:
                ngrams = ["–" if share is None else percent(share) for share in side["ngrams"].values()]
                cells += [percent(nearest["near_copies"]), *ngrams]
                cells += [f"{nearest[key]:.2f}" for key in ("mean", "median", "percentile_90")]
            table.add(f"{split} {name}", *cells)
    return table
