"""Lists of symbols: characters, words, bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from seqlab.symbols import SPECIALS, UNK
from seqlab.text.patterns import finder
from seqlab.text.tokenizers.base import UNKNOWN, Tokenizer


class _Vocabulary(Tokenizer):
    """A list of symbols, numbered from 4 in its order; what is not in it is UNK."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self.symbols = list(symbols)
        self._ids = {symbol: i for i, symbol in enumerate(self.symbols, SPECIALS)}
        if len(self._ids) < len(self.symbols):
            raise ValueError("the vocabulary holds a symbol twice")

    @property
    def size(self) -> int:
        return SPECIALS + len(self.symbols)

    def _lookup(self, parts: Iterable[str]) -> list[int]:
        return [self._ids.get(part, UNK) for part in parts]

    def _symbols(self, ids: Iterable[int]) -> list[str]:
        return [UNKNOWN if i == UNK else self.symbols[i - SPECIALS] for i in ids if i >= UNK]


class CharacterTokenizer(_Vocabulary):
    """One id a character (Unicode code point). Lossless over its alphabet."""

    lossless = True

    @classmethod
    def fit(cls, texts: Iterable[str]) -> CharacterTokenizer:
        """The alphabet of `texts`, in code-point order."""
        alphabet: set[str] = set()
        for text in texts:
            alphabet.update(text)
        return cls(sorted(alphabet))

    def encode(self, text: str) -> list[int]:
        return self._lookup(text)

    def decode(self, ids: Iterable[int]) -> str:
        return "".join(self._symbols(ids))

    def state(self) -> dict[str, Any]:
        return {"symbols": self.symbols}


class WordTokenizer(_Vocabulary):
    """Words and punctuation marks found by a regular expression; `decode` joins them with single spaces.

    Spacing and, with `lower`, case are lost: `decode(encode(text))` equals `text` only up to those.
    """

    PATTERN = r"\w+(?:['’]\w+)*|[^\w\s]"

    def __init__(self, symbols: Sequence[str], lower: bool = False, pattern: str = PATTERN) -> None:
        super().__init__(symbols)
        self.lower, self.pattern = lower, pattern
        self._matches = finder(pattern, known=pattern == self.PATTERN)

    @classmethod
    def fit(
        cls, texts: Iterable[str], lower: bool = False, min_frequency: int = 1, pattern: str = PATTERN
    ) -> WordTokenizer:
        """The words that stand at least `min_frequency` times in `texts`, the most frequent first."""
        splitter = cls([], lower, pattern)
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(splitter.split(text))
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return cls([word for word, count in ranked if count >= min_frequency], lower, pattern)

    def split(self, text: str) -> list[str]:
        """The words and marks of `text`, lower-cased if so set."""
        return [match.group() for match in self._matches(text.lower() if self.lower else text)]

    def encode(self, text: str) -> list[int]:
        return self._lookup(self.split(text))

    def decode(self, ids: Iterable[int]) -> str:
        return " ".join(self._symbols(ids))

    def state(self) -> dict[str, Any]:
        return {"symbols": self.symbols, "lower": self.lower, "pattern": self.pattern}


class ByteTokenizer(Tokenizer):
    """One id a byte of the text's UTF-8. Nothing is learnt, and no text is unknown."""

    lossless = True

    @classmethod
    def fit(cls, texts: Iterable[str]) -> ByteTokenizer:
        """The same, whatever the texts."""
        return cls()

    @property
    def size(self) -> int:
        return SPECIALS + 256

    def encode(self, text: str) -> list[int]:
        return [SPECIALS + byte for byte in text.encode()]

    def decode(self, ids: Iterable[int]) -> str:
        parts = (UNKNOWN.encode() if i == UNK else bytes([i - SPECIALS]) for i in ids if i >= UNK)
        return b"".join(parts).decode(errors="replace")

    def state(self) -> dict[str, Any]:
        return {}
