"""How much of a held-out text stands in training: word for word, in n-grams of tokens, and nearly.

Training streams past, so memory does not grow with it: of held-out text hashes are kept, and which of them were found.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from seqlab.data.passages import Passages
from seqlab.metrics.hashes import folded, hashed_texts, hashed_windows
from seqlab.metrics.similarity import BATCH, Nearest, Shingles

NGRAMS = (5, 10, 15)
COMPARED = 2_000
"""Held-out sentences whose nearest one is looked for, at most."""
NEAR = 0.8
"""A sentence more similar than this to one in training is a near copy of it."""


@dataclass(frozen=True)
class Nearness:
    """How similar held-out sentences are to the nearest of training: Jaccard over 5 characters (`Nearest`).

    Of `compared` sentences, evenly spread: mean, median, 90th percentile, and the share of near copies (above 0.8).
    """

    compared: int
    mean: float
    median: float
    percentile_90: float
    near_copies: float


@dataclass(frozen=True)
class Overlap:
    """What of one side of a held-out split (of its sources, say) stands in training; shares are 0 to 1.

    Attributes:
        sentences: how many there are.
        copies: share of them that stand in training, but for case and spaces; None if there are none.
        ngrams: share of n-grams of tokens that stand in training, by n, each as often as it is held out; None where
            no passage is that long.
        nearest: what exact copies do not show; None where it was not asked for.
    """

    sentences: int
    copies: float | None
    ngrams: dict[str, float | None]
    nearest: Nearness | None


@dataclass(frozen=True)
class Leakage:
    """The overlap of a held-out split with training, by side; of several sides, that of the whole examples as pairs."""

    sides: dict[str, Overlap]

    def to_json(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return {name: asdict(overlap) for name, overlap in self.sides.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Leakage:
        """What `to_json` gave."""
        return cls(
            {
                name: Overlap(**{**side, "nearest": side["nearest"] and Nearness(**side["nearest"])})
                for name, side in data.items()
            }
        )

    def summary(self) -> list[str]:
        """A line a side, but for the pairs: "sources: 0.3% stand in training, 1.2% nearly; 5-grams 18.3%, …"."""
        return [
            f"{name}: {percent(side.copies)} stand in training, {percent(side.nearest.near_copies)} nearly; "
            + ", ".join(f"no {n}-grams" if s is None else f"{n}-grams {percent(s)}" for n, s in side.ngrams.items())
            for name, side in self.sides.items()
            if side.nearest is not None
        ]


def percent(share: float | None) -> str:
    """A share as a person reads it: "18.3%", "0.11%", "0.0015%"; "none" where there is nothing to have a share of."""
    return "none" if share is None else f"{100 * share:.3g}%"


Sides = Mapping[str, Passages]


def leakage(training: Iterable[Sides], held_out: Mapping[str, Iterable[Sides]]) -> dict[str, Leakage]:
    """The leakage of each held-out split. Everything comes in parts that fit in memory, by side.

    Where there are several sides, sentence n of one belongs to sentence n of the others.
    """
    meters = {split: _SplitMeter() for split in held_out}
    for split, parts in held_out.items():
        for sides in parts:
            meters[split].expect(_Hashed.of(sides))
    for sides in training:
        part = _Hashed.of(sides)
        for meter in meters.values():
            meter.see(part)
    return {split: meter.result() for split, meter in meters.items()}


@dataclass(frozen=True)
class _Side:
    texts: list[str]  # folded
    sentences: np.ndarray
    ngrams: dict[int, np.ndarray]

    @functools.cached_property
    def shingles(self) -> list[Shingles]:
        return [Shingles.of(self.texts[start : start + BATCH]) for start in range(0, len(self.texts), BATCH)]


@dataclass(frozen=True)
class _Hashed:
    """A part of a split, hashed once for all that look at it."""

    sides: dict[str, _Side]
    pairs: np.ndarray

    @classmethod
    def of(cls, sides: Sides) -> _Hashed:
        hashed, texts = {}, {}
        for name, (tokens, sentences) in sides.items():
            texts[name] = [folded(sentence) for sentence in sentences]
            said = [text for text in texts[name] if text]
            ngrams = {n: hashed_windows(tokens.values, tokens.offsets, n)[0] for n in NGRAMS}
            hashed[name] = _Side(said, hashed_texts(said), ngrams)
        both = ["\0".join(parts) for parts in zip(*texts.values(), strict=True)] if len(texts) > 1 else []
        return cls(hashed, hashed_texts(both))


class _Found:
    """Which of the hashes that are expected have come past."""

    def __init__(self) -> None:
        self._parts = [np.empty(0, np.uint64)]

    def expect(self, hashes: np.ndarray) -> None:
        self._parts.append(hashes)

    @functools.cached_property
    def _table(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Hashes, how often each is expected, and whether it has been seen; made when the first one comes."""
        hashes, counts = np.unique(np.concatenate(self._parts), return_counts=True)
        self._parts.clear()
        return hashes, counts, np.zeros(len(hashes), dtype=bool)

    def see(self, hashes: np.ndarray) -> None:
        known, _, found = self._table
        if len(known):
            hashes = np.sort(hashes)  # looking up in order is many times faster
            at = np.searchsorted(known, hashes).clip(max=len(known) - 1)
            found[at[known[at] == hashes]] = True

    @property
    def total(self) -> int:
        return int(self._table[1].sum())

    @property
    def share(self) -> float | None:
        _, counts, found = self._table
        return float(counts[found].sum() / self.total) if self.total else None


class _SideMeter:
    """One side of a held-out split, and what of it has come past."""

    def __init__(self) -> None:
        self._sentences, self._ngrams = _Found(), {n: _Found() for n in NGRAMS}
        self._sample: list[str] = []
        self._every = 1  # sentence is in the sample
        self._passed = 0

    def expect(self, side: _Side) -> None:
        self._sentences.expect(side.sentences)
        for n, found in self._ngrams.items():
            found.expect(side.ngrams[n])
        for text in side.texts:
            if self._passed % self._every == 0:
                self._sample.append(text)
            self._passed += 1
            if len(self._sample) > COMPARED:
                self._sample, self._every = self._sample[::2], 2 * self._every

    @functools.cached_property
    def _nearest(self) -> Nearest:
        return Nearest(self._sample)

    def see(self, side: _Side) -> None:
        self._sentences.see(side.sentences)
        for n, found in self._ngrams.items():
            found.see(side.ngrams[n])
        for batch in side.shingles:
            self._nearest.see(batch)

    def result(self) -> Overlap:
        ngrams = {str(n): found.share for n, found in self._ngrams.items()}
        return Overlap(self._sentences.total, self._sentences.share, ngrams, _nearness(self._nearest.similarities))


def _nearness(similarities: np.ndarray) -> Nearness | None:
    if not len(similarities):
        return None
    return Nearness(
        compared=len(similarities),
        mean=float(similarities.mean()),
        median=float(np.median(similarities)),
        percentile_90=float(np.quantile(similarities, 0.9)),
        near_copies=float((similarities > NEAR).mean()),
    )


class _SplitMeter:
    """All sides of a held-out split."""

    def __init__(self) -> None:
        self._sides: dict[str, _SideMeter] = {}
        self._pairs = _Found()

    def expect(self, part: _Hashed) -> None:
        self._pairs.expect(part.pairs)
        for name, side in part.sides.items():
            self._sides.setdefault(name, _SideMeter()).expect(side)

    def see(self, part: _Hashed) -> None:
        self._pairs.see(part.pairs)
        for name, side in part.sides.items():
            if name in self._sides:
                self._sides[name].see(side)

    def result(self) -> Leakage:
        sides = {name: side.result() for name, side in self._sides.items()}
        if self._pairs.total:
            sides["pairs"] = Overlap(self._pairs.total, self._pairs.share, {}, None)
        return Leakage(sides)
