"""Which tokens and sentences of a short text appear in training text, which is read once and then searched often.

The definitions are those of `leakage`, which compares whole splits with less memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from seqlab.data.passages import Passages
from seqlab.metrics.leakage import NGRAMS, Overlap, all_ngrams, known_ngrams, nearness
from seqlab.metrics.similarity import BATCH, Nearest, Shingles
from seqlab.text.hashes import folded, hashed_texts

MOST_TOKENS = 4_000_000
"""Tokens of training text that are indexed: 8 bytes of hashes for each token and length of n-gram."""
MOST_CHARACTERS = 16_000_000
"""Characters of training sentences that are kept, to search near copies among them."""


@dataclass(frozen=True)
class SeenInTraining:
    """What of a text of n tokens and s sentences appears in training.

    Attributes:
        overlap: the measures of `leakage`, for this text alone.
        longest: (n,), for each token the largest size in `NGRAMS` of an n-gram around it that appears; 0 if none does.
        copies: (s,), whether a sentence appears word for word, ignoring case and spaces.
        similarities: (s,), the similarity to the nearest training sentence.
        nearest: that sentence, case-folded; "" if none shares a shingle.
    """

    overlap: Overlap
    longest: np.ndarray
    copies: np.ndarray
    similarities: np.ndarray
    nearest: Sequence[str]


class TrainingIndex:
    """Hashes of n-grams and the sentences of training text, up to the limits above.

    Attributes:
        tokens: how many tokens are indexed.
        complete: whether that is all of the text.
    """

    def __init__(self, parts: Iterable[Passages]) -> None:
        ngrams: dict[int, list[np.ndarray]] = {n: [np.empty(0, np.uint64)] for n in NGRAMS}
        texts: dict[str, None] = {}  # each sentence once, in their order
        characters, self.tokens, self.complete = 0, 0, True
        for tokens, sentences in parts:
            characters += sum(map(len, sentences))
            if self.tokens + len(tokens.values) > MOST_TOKENS or characters > MOST_CHARACTERS:
                self.complete = False
                break
            self.tokens += len(tokens.values)
            for n in NGRAMS:
                ngrams[n].append(np.unique(known_ngrams(tokens.values[:], tokens.offsets[:], n)))
            texts |= dict.fromkeys(filter(None, map(folded, sentences)))
        self._ngrams = {n: np.unique(np.concatenate(hashes)) for n, hashes in ngrams.items()}
        self._texts = [*texts]
        self._copies = np.sort(hashed_texts(self._texts))

    def seen(self, ids: Sequence[int], sentences: Sequence[str]) -> SeenInTraining:
        """What of a text appears in training.

        Args:
            ids: its tokens. An n-gram with an unknown token appears nowhere.
            sentences: its sentences; empty ones are left out.
        """
        values = np.asarray(ids, dtype=np.int64)
        longest, shares = np.zeros(len(values), dtype=np.int64), {}
        for n in NGRAMS:
            appears = self._windows(values, n)
            for shift in range(n):
                longest[shift : shift + len(appears)][appears] = n
            shares[str(n)] = float(appears.mean()) if len(appears) else None
        texts = [*filter(None, map(folded, sentences))]
        copies = _among(self._copies, hashed_texts(texts))
        similarities, nearest = self._nearest(texts)
        share = float(copies.mean()) if texts else None
        overlap = Overlap(len(texts), share, shares, nearness(similarities))
        return SeenInTraining(overlap, longest, copies, similarities, nearest)

    def _windows(self, values: np.ndarray, n: int) -> np.ndarray:
        """Whether each n-gram of the text appears in training: (len(values) - n + 1,)."""
        return _among(self._ngrams[n], all_ngrams(values, np.array([0, len(values)]), n))

    def _nearest(self, texts: Sequence[str]) -> tuple[np.ndarray, list[str]]:
        """For each text its similarity to the most similar one of training, and that one."""
        meter, batches = Nearest(texts), np.zeros(len(texts), dtype=np.int64)
        for start in range(0, len(self._texts) if len(texts) else 0, BATCH):
            before = meter.similarities.copy()
            meter.see(Shingles.of(self._texts[start : start + BATCH]))
            batches[meter.similarities > before] = start
        nearest = []
        for text, start, similarity in zip(texts, batches.tolist(), meter.similarities.tolist(), strict=True):
            among = self._texts[start : start + BATCH]
            one = Nearest(among)  # the other way round: the similarity of each text of the batch to this one
            one.see(Shingles.of([text]))
            nearest.append(among[int(one.similarities.argmax())] if similarity else "")
        return meter.similarities, nearest


def _among(known: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Whether each hash is one of those known, which are sorted."""
    if not len(known):
        return np.zeros(len(hashes), dtype=bool)
    found: np.ndarray = known[np.searchsorted(known, hashes).clip(max=len(known) - 1)] == hashes
    return found
