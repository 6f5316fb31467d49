"""Lists of symbols: characters, words, bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import regex

from seqlab.special_tokens import SPECIALS, UNK
from seqlab.text.languages import UNSEPARATED_CHARACTER
from seqlab.text.patterns import finder
from seqlab.text.tokenizers.spacing import Spacing, SpacingCounts
from seqlab.text.tokenizers.tokenizer import UNKNOWN, Tokenizer


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
    """Words and punctuation marks found by a regular expression; `decode` joins them as the learnt spacing says.

    `decode(encode(text))` equals `text` up to unknown words, case (with `lower`) and spacing that is not what usually
    stands between its words and marks.

    Args:
        symbols: the vocabulary.
        lower: case is lost.
        pattern: what a word or a mark is.
        spacing: what stands between them: see `Spacing`. Without it, a space.

    Raises:
        ValueError: a symbol that stands twice, no regular expression, or no spacing.
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
        """The words that stand at least `min_frequency` times in `texts`, the most frequent first."""
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
        """The words and marks of `text`, lower-cased if so set."""
        return [match.group() for match in self._matches(text.lower() if self.lower else text)]

    def _with_gaps(self, text: str) -> tuple[list[str], list[str]]:
        """The words and marks, and what stands before each of them."""
        text = text.lower() if self.lower else text
        words, gaps, end = [], [], 0
        for match in self._matches(text):
            words.append(match.group())
            gaps.append(text[end : match.start()])
            end = match.end()
        return words, gaps

    def encode(self, text: str) -> list[int]:
        return self._lookup(self.split(text))

    def decode(self, ids: Iterable[int], unknown: Iterable[str] = ()) -> str:
        """The text of `ids`; what is UNK is written as the next of `unknown`, or `<unk>` where there is none left."""
        words = iter(unknown)
        symbols = self._symbols(ids)
        return self._spacing.join(next(words, UNKNOWN) if one == UNKNOWN else one for one in symbols)

    def comparable(self, text: str) -> str:
        """The words and marks, with single spaces."""
        return " ".join(self.split(text))

    def state(self) -> dict[str, Any]:
        state = {"symbols": self.symbols, "lower": self.lower, "pattern": self.pattern}
        return {**state, "spacing": self._spacing.rows()}


_WORDS_AND_MARKS = regex.compile(f"{regex.escape(UNKNOWN)}|{WordTokenizer.PATTERN}")


def words_and_marks(text: str) -> list[str]:
    """The lower-cased words and marks of a text, by which outputs of all tokenizers compare; `<unk>` is one word.

    In scripts that do not separate words, such as Chinese, each character counts as one.
    """
    return _WORDS_AND_MARKS.findall(UNSEPARATED_CHARACTER.sub(r" \g<0> ", text.lower()))


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
