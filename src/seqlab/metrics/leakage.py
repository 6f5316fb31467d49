"""How much of a held-out text appears in training: word for word, in n-grams of tokens, and nearly.

Only hashes of the held-out text are kept, and the training text is streamed, so memory does not grow with it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from seqlab.data.passages import Passages
from seqlab.metrics.similarity import BATCH, Nearest, Shingles
from seqlab.special_tokens import UNK
from seqlab.text.hashes import folded, hashed_texts, hashed_windows

NGRAMS = (5, 10, 15)
COMPARED = 2_000
"""The largest number of held-out sentences whose nearest training sentence is searched."""
NEAR = 0.8
"""A sentence whose similarity to one in training is above this is a near copy."""


@dataclass(frozen=True)
class Nearness:
    """How similar held-out sentences are to the nearest training sentence, by Jaccard similarity (see `Nearest`).

    Mean, median and 90th percentile over `compared` evenly spaced sentences, and the share of near copies (above
    `NEAR`).
    """

    compared: int
    mean: float
    median: float
    percentile_90: float
    near_copies: float


@dataclass(frozen=True)
class Overlap:
    """How much of one side of a held-out split (its sources, say) appears in training; shares are 0 to 1.

    Attributes:
        sentences: number of held-out sentences.
        copies: share of them that appear in training, ignoring case and spaces; None if there are no sentences.
        ngrams: share of the n-grams of tokens that appear in training, by n, repeated n-grams counted each time; one
            with an unknown token appears nowhere. None if no passage is that long.
        nearest: similarity to the nearest training sentences; None for pairs, and if there are no sentences.
        held_out_every: one held-out example in so many was looked at (in parts, evenly spread).
        training_every: n-grams and nearest sentences were looked for in one training example in so many; copies in all.
    """

    sentences: int
    copies: float | None
    ngrams: dict[str, float | None]
    nearest: Nearness | None
    held_out_every: int = 1
    training_every: int = 1


@dataclass(frozen=True)
class Leakage:
    """The overlap of a held-out split with training, by side and, if there are several, of whole examples ("pairs")."""

    sides: dict[str, Overlap]

    def to_json(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {name: asdict(overlap) for name, overlap in self.sides.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Leakage:
        """The inverse of `to_json`."""
        return cls(
            {
                name: Overlap(**{**side, "nearest": side["nearest"] and Nearness(**side["nearest"])})
                for name, side in data.items()
            }
        )

    def summary(self) -> list[str]:
        """One line per side, without pairs: "sources: 0.3% appear in training word for word, 1.2% nearly; …"."""
        return [
            f"{name}: {percent(side.copies)} appear in training word for word, {percent(side.nearest.near_copies)}"
            f" nearly; {_ngrams(side.ngrams)}{_sample(side)}"
            for name, side in self.sides.items()
            if side.nearest is not None
        ]


def _sample(side: Overlap) -> str:
    """The end of a line that says what was looked at, if it was not all."""
    held_out = f"measured on one held-out example in {side.held_out_every:,}"
    training = f"near copies and n-grams looked for in one training example in {side.training_every:,}"
    parts = [held_out] * (side.held_out_every > 1) + [training] * (side.training_every > 1)
    return f" ({'; '.join(parts)})" if parts else ""


def _ngrams(shares: Mapping[str, float | None]) -> str:
    """The shares of n-grams of tokens in words: "of its 5-grams (5 tokens in a row) 18.3%; too short for 10-grams"."""
    first = next(iter(shares), "")
    names = {n: f"{n}-grams" + (f" ({n} tokens in a row)" if n == first else "") for n in shares}
    found = [f"{names[n]} {percent(share)}" for n, share in shares.items() if share is not None]
    missing = [names[n] for n, share in shares.items() if share is None]
    parts = [f"of its {', '.join(found)}"] * bool(found) + [f"too short for {', '.join(missing)}"] * bool(missing)
    return "; ".join(parts)


def percent(share: float | None) -> str:
    """A share for display: "18.3%", "0.11%", "0.0015%"; "none" if it is None."""
    return "none" if share is None else f"{100 * share:.3g}%"


Sides = Mapping[str, Passages]


def leakage(
    training: Iterable[Sides], held_out: Mapping[str, Iterable[Sides]], training_every: int = 1
) -> dict[str, Leakage]:
    """The leakage of each held-out split. All text comes in parts that fit in memory, each a mapping by side.

    If there are several sides, sentence n of one belongs to sentence n of the others.

    Args:
        training_every: look for n-grams and nearest sentences in one part of training in so many.
    """
    meters = {split: _SplitMeter() for split in held_out}
    for split, parts in held_out.items():
        for sides in parts:
            meters[split].expect(_Hashed.of(sides, held_out=True))
    for number, sides in enumerate(training):
        part = _Hashed.of(sides, closely=number % training_every == 0)
        for meter in meters.values():
            meter.see(part)
    return {split: meter.result() for split, meter in meters.items()}


def all_ngrams(values: np.ndarray, offsets: np.ndarray, n: int) -> np.ndarray:
    """A hash of each n-gram of the passages `values[offsets[i]:offsets[i + 1]]`."""
    return hashed_windows(values, offsets, n)[0]


def known_ngrams(values: np.ndarray, offsets: np.ndarray, n: int) -> np.ndarray:
    """A hash of each n-gram of the passages without an unknown token, which may stand for another word elsewhere."""
    unknown = values == UNK
    known_before = np.concatenate([[0], np.cumsum(~unknown)])
    cuts = np.sort(np.concatenate([offsets, np.flatnonzero(unknown)]))  # no n-gram reaches across
    return all_ngrams(values[~unknown], known_before[cuts], n)


@dataclass(frozen=True)
class _Side:
    texts: list[str]  # folded
    sentences: np.ndarray
    ngrams: dict[int, np.ndarray]
    closely: bool = True  # whether it is looked at for more than copies; if not, there are no n-grams

    @functools.cached_property
    def shingles(self) -> list[Shingles]:
        if not self.closely:
            return []
        return [Shingles.of(self.texts[start : start + BATCH]) for start in range(0, len(self.texts), BATCH)]


@dataclass(frozen=True)
class _Hashed:
    """A part of a split, hashed once and compared with several splits."""

    sides: dict[str, _Side]
    pairs: np.ndarray

    @classmethod
    def of(cls, sides: Sides, closely: bool = True, held_out: bool = False) -> _Hashed:
        hashed, texts = {}, {}
        hashes = all_ngrams if held_out else known_ngrams
        for name, (tokens, sentences) in sides.items():
            texts[name] = [folded(sentence) for sentence in sentences]
            nonempty = [text for text in texts[name] if text]
            sizes = NGRAMS if closely else ()
            ngrams = {n: hashes(tokens.values[:], tokens.offsets[:], n) for n in sizes}
            hashed[name] = _Side(nonempty, hashed_texts(nonempty), ngrams, closely)
        both = ["\0".join(parts) for parts in zip(*texts.values(), strict=True)] if len(texts) > 1 else []
        return cls(hashed, hashed_texts(both))


class _HeldOutHashes:
    """Hashes of held-out text, and which of them have been seen in training."""

    def __init__(self) -> None:
        self._parts = [np.empty(0, np.uint64)]

    def expect(self, hashes: np.ndarray) -> None:
        self._parts.append(hashes)

    @functools.cached_property
    def _table(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Distinct hashes, the count of each, and whether it was seen; built when training text first arrives."""
        hashes, counts = np.unique(np.concatenate(self._parts), return_counts=True)
        self._parts.clear()
        return hashes, counts, np.zeros(len(hashes), dtype=bool)

    def see(self, hashes: np.ndarray) -> None:
        known, _, seen = self._table
        if len(known):
            hashes = np.sort(hashes)  # lookups in order are many times faster
            at = np.searchsorted(known, hashes).clip(max=len(known) - 1)
            seen[at[known[at] == hashes]] = True

    @property
    def total(self) -> int:
        return int(self._table[1].sum())

    @property
    def share(self) -> float | None:
        _, counts, seen = self._table
        return float(counts[seen].sum() / self.total) if self.total else None


class _SideMeter:
    """One side of a held-out split, and how much of it was seen in training."""

    def __init__(self) -> None:
        self._sentences, self._ngrams = _HeldOutHashes(), {n: _HeldOutHashes() for n in NGRAMS}
        self._sample: list[str] = []
        self._stride = 1  # every so many sentences, one is in the sample
        self._count = 0

    def expect(self, side: _Side) -> None:
        self._sentences.expect(side.sentences)
        for n, hashes in self._ngrams.items():
            hashes.expect(side.ngrams[n])
        for text in side.texts:
            if self._count % self._stride == 0:
                self._sample.append(text)
            self._count += 1
            if len(self._sample) > COMPARED:
                self._sample, self._stride = self._sample[::2], 2 * self._stride

    @functools.cached_property
    def _nearest(self) -> Nearest:
        return Nearest(self._sample)

    def see(self, side: _Side) -> None:
        self._sentences.see(side.sentences)
        for n, hashes in side.ngrams.items():
            self._ngrams[n].see(hashes)
        for batch in side.shingles:
            self._nearest.see(batch)

    def result(self) -> Overlap:
        ngrams = {str(n): hashes.share for n, hashes in self._ngrams.items()}
        return Overlap(self._sentences.total, self._sentences.share, ngrams, nearness(self._nearest.similarities))


def nearness(similarities: np.ndarray) -> Nearness | None:
    """The measures of similarities, (n,); None if there are none."""
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
        self._pairs = _HeldOutHashes()

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
