"""Tokenizers with an explicit list of symbols: characters, words, bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import regex

from seqlab.special_tokens import SPECIALS, UNK
from seqlab.text.languages import UNSEPARATED_CHARACTER
from seqlab.text.patterns import finder
from seqlab.text.tokenizers.spacing import Spacing, SpacingCounts, is_quotation_mark
from seqlab.text.tokenizers.tokenizer import CONTEXT, UNKNOWN, Tokenizer


class _Vocabulary(Tokenizer):
    """A list of symbols, numbered from 4 in list order; anything else is UNK."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self.symbols = list(symbols)
        self._ids = {symbol: i for i, symbol in enumerate(self.symbols, SPECIALS)}
        if len(self._ids) < len(self.symbols):
            raise ValueError("the vocabulary lists a symbol twice")

    @property
    def size(self) -> int:
        return SPECIALS + len(self.symbols)

    def _lookup(self, parts: Iterable[str]) -> list[int]:
        return [self._ids.get(part, UNK) for part in parts]

    def _missing(self, parts: Iterable[str]) -> list[str]:
        return list(dict.fromkeys(part for part in parts if part not in self._ids))

    def _symbols(self, ids: Iterable[int]) -> list[str]:
        return [UNKNOWN if i == UNK else self.symbols[i - SPECIALS] for i in ids if i >= UNK]


class CharacterTokenizer(_Vocabulary):
    """One id per character (Unicode code point). Lossless over its alphabet."""

    lossless = True

    @classmethod
    def fit(cls, texts: Iterable[str]) -> CharacterTokenizer:
        """The alphabet of `texts`, in code-point order."""
        alphabet: set[str] = set()
        for text in texts:
            alphabet.update(cls.split(text))
        return cls(sorted(alphabet))

    @staticmethod
    def split(text: str) -> Iterable[str]:
        """The symbols of `text`."""
        return text

    def encode(self, text: str) -> list[int]:
        return self._lookup(self.split(text))

    def unknown(self, text: str) -> list[str]:
        return self._missing(self.split(text))

    def decode(self, ids: Iterable[int]) -> str:
        return "".join(self._symbols(ids))

    def state(self) -> dict[str, Any]:
        return {"symbols": self.symbols}


class GraphemeTokenizer(CharacterTokenizer):
    """One id per character as a reader sees it (extended grapheme cluster, Unicode Standard Annex 29).

    A letter keeps its combining marks, an emoji its skin tone, family and flag. The alphabet is larger than that of
    code points, and a cluster that training does not have is unknown even if its parts are there.
    """

    @staticmethod
    def split(text: str) -> Iterable[str]:
        return _GRAPHEME.findall(text)


_GRAPHEME = regex.compile(r"\X")


class WordTokenizer(_Vocabulary):
    """Words and punctuation marks, matched by a regular expression; `decode` joins them with the learnt spacing.

    `decode(encode(text))` equals `text` except for unknown words, case (with `lower`) and unusual spacing.

    Args:
        symbols: the vocabulary.
        lower: lower-case all text.
        pattern: regular expression for one word or mark.
        spacing: rows of `Spacing`, which say how words and marks are joined. Without rows, by spaces.

    Raises:
        ValueError: a symbol is listed twice, `pattern` is not a regular expression, or `spacing` has a wrong row.
    """

    PATTERN = r"\w+(?:['’]\w+)*|[^\w\s]"

    def __init__(
        self,
        symbols: Sequence[str],
        lower: bool = False,
        pattern: str = PATTERN,
        spacing: Iterable[Sequence[str | None]] = (),
    ) -> None:
        super().__init__(symbols)
        self.lower, self.pattern, self._spacing = lower, pattern, Spacing(spacing)
        self._matches = finder(pattern, known=pattern == self.PATTERN)

    @classmethod
    def fit(
        cls, texts: Iterable[str], lower: bool = False, min_frequency: int = 1, pattern: str = PATTERN
    ) -> WordTokenizer:
        """The words that occur at least `min_frequency` times in `texts`, the most frequent first."""
        splitter = cls([], lower, pattern)
        counts: Counter[str] = Counter()
        spacing = SpacingCounts()
        for text in texts:
            words, gaps = splitter._with_gaps(text)
            counts.update(words)
            spacing.add(words, gaps)
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        symbols = [word for word, count in ranked if count >= min_frequency]
        return cls(symbols, lower, pattern, spacing.learnt(set(symbols)).rows())

    def split(self, text: str) -> list[str]:
        """The words and marks of `text`, lower-cased with `lower`."""
        return [match.group() for match in self._matches(text.lower() if self.lower else text)]

    def _with_gaps(self, text: str) -> tuple[list[str], list[str]]:
        """The words and marks, and the text between each of them and the one before."""
        text = text.lower() if self.lower else text
        words, gaps, end = [], [], 0
        for match in self._matches(text):
            words.append(match.group())
            gaps.append(text[end : match.start()])
            end = match.end()
        return words, gaps

    def encode(self, text: str) -> list[int]:
        return self._lookup(self.split(text))

    def unknown(self, text: str) -> list[str]:
        return self._missing(self.split(text))

    def decode(self, ids: Iterable[int], unknown: Iterable[str] = ()) -> str:
        """The text of `ids`; each UNK becomes the next of `unknown`, or `<unk>` once `unknown` is used up."""
        words = iter(unknown)
        symbols = self._symbols(ids)
        return self._spacing.join(next(words, UNKNOWN) if one == UNKNOWN else one for one in symbols)

    def context(self, ids: Sequence[int]) -> list[int]:
        # Whether a quotation mark opens or closes depends on all before it: those that no other cancels out stay.
        marks = Counter(i for i in ids[:-CONTEXT] if i > UNK and is_quotation_mark(self.symbols[i - SPECIALS]))
        return [*(mark for mark, count in marks.items() if count % 2), *super().context(ids)]

    def comparable(self, text: str) -> str:
        """The words and marks, with single spaces."""
        return " ".join(self.split(text))

    def state(self) -> dict[str, Any]:
        state = {"symbols": self.symbols, "lower": self.lower, "pattern": self.pattern}
        return {**state, "spacing": self._spacing.rows()}


_WORDS_AND_MARKS = regex.compile(f"{regex.escape(UNKNOWN)}|{WordTokenizer.PATTERN}")


def words_and_marks(text: str) -> list[str]:
    """The lower-cased words and marks of a text, for comparing outputs of different tokenizers; `<unk>` is one word.

    In scripts that do not separate words, such as Chinese, each character counts as one word.
    """
    return _WORDS_AND_MARKS.findall(UNSEPARATED_CHARACTER.sub(r" \g<0> ", text.lower()))


class ByteTokenizer(Tokenizer):
    """One id per byte of the text's UTF-8. Nothing is learnt, and nothing is unknown."""

    lossless = True

    @classmethod
    def fit(cls, texts: Iterable[str]) -> ByteTokenizer:
        """Always the same tokenizer: the texts are ignored."""
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
