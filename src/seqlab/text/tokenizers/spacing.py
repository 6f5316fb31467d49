"""White space between words, learnt from texts, so that words and punctuation marks are joined as people write them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Sequence
from typing import TypeVar

import regex

from seqlab.text.tokenizers.tokenizer import UNKNOWN

T = TypeVar("T", str, bool)
Row = tuple[str | None, str | None, str]

WORD = ""
"""The kind that all words share."""

_WORD = regex.compile(r"\w")
_QUOTE = regex.compile(r"\p{Quotation_Mark}")
_LINE_ENDS = "\n\r\t\v\f\x1c\x1d\x1e\x85\u2028\u2029"


class Spacing:
    """The gap between two neighbouring words or marks: nothing, a space, or another space such as U+00A0.

    All words are one kind. Each punctuation mark is a kind, and a quotation mark is two: the first, third … of a text
    opens and the others close. A row (left, right, gap) gives the gap between two kinds, or between a certain word and
    a kind of mark where that pair is an exception. (None, right, gap) and (left, None, gap) give the usual gap beside
    a mark, for pairs that were not seen. Without a row the gap is a space.

    Raises:
        ValueError: a row is not such a triple, its gap is not white space, or a pair has two rows.
    """

    def __init__(self, rows: Iterable[Sequence[str | None]] = ()) -> None:
        self._gaps: dict[tuple[str | None, str | None], str] = {}
        for row in rows:
            left, right, gap = _checked(row)
            if (left, right) in self._gaps:
                raise ValueError(f"spacing has two rows for {left!r} and {right!r}")
            self._gaps[left, right] = gap
        self._kinds = _Kinds()

    def rows(self) -> list[list[str | None]]:
        """All rows, ready for JSON."""
        return [[left, right, gap] for (left, right), gap in self._gaps.items()]

    def join(self, words: Iterable[str]) -> str:
        """The text of words and marks. Each gap depends only on the words before it and the one that follows it."""
        words = list(words)
        kinds = self._kinds.of(words)
        parts = words[:1]
        for i in range(1, len(words)):
            parts += self._between(words[i - 1], kinds[i - 1], words[i], kinds[i]), words[i]
        return "".join(parts)

    def _between(self, left: str, left_kind: str, right: str, right_kind: str) -> str:
        gaps = self._gaps
        pair = (left if left_kind == WORD else left_kind, right if right_kind == WORD else right_kind)
        if (left_kind == WORD) != (right_kind == WORD) and pair in gaps:
            return gaps[pair]
        if (left_kind, right_kind) in gaps:
            return gaps[left_kind, right_kind]
        before = gaps.get((None, right_kind), " ")
        return gaps.get((left_kind, None), " ") if before == " " else before


class SpacingCounts:
    """Counts the gaps between words and marks; `learnt` gives the spacing that is right most often."""

    def __init__(self) -> None:
        self._kinds: Counter[tuple[str, str, str]] = Counter()
        self._pairs: Counter[tuple[str, str, bool]] = Counter()
        self._known = _Kinds()

    def add(self, words: Sequence[str], gaps: Sequence[str]) -> None:
        """Counts the gaps of one text: `gaps[i]` comes before `words[i]`."""
        kinds = self._known.of(words)
        self._kinds.update(zip(kinds, kinds[1:], gaps[1:], strict=False))
        self._pairs.update(
            (words[i], kinds[i + 1], bool(gap)) if kinds[i] == WORD else (kinds[i], words[i + 1], bool(gap))
            for i, gap in enumerate(gaps[1:])
            if (kinds[i] == WORD) != (kinds[i + 1] == WORD)
        )

    def learnt(self, known: Container[str]) -> Spacing:
        """The spacing, with exceptions only for words in `known`, the vocabulary: all others decode to `<unk>`."""
        counts: defaultdict[tuple[str | None, str | None], Counter[str]] = defaultdict(Counter)
        for (left, right, gap), count in self._kinds.items():
            for key in ((left, right), (None, right), (left, None)):
                counts[key][_space(gap)] += count
        kinds = {key: _most_frequent(gaps) for key, gaps in counts.items()}
        rows: list[Row] = [(*key, gap) for key, gap in kinds.items() if gap != " " or None not in key]
        pairs: defaultdict[tuple[str, str], Counter[bool]] = defaultdict(Counter)
        for (left, right, apart), count in self._pairs.items():
            pairs[left, right][apart] += count
        for (left, right), spaced in pairs.items():
            word, pair = (left, (WORD, right)) if _is_word(left) else (right, (left, WORD))
            if word in known and _most_frequent(spaced) != bool(kinds[pair]):
                rows.append((left, right, "" if kinds[pair] else " "))
        return Spacing(sorted(rows, key=lambda row: tuple((part is None, part or "") for part in row)))


class _Kinds:
    """The kinds of words and marks; each distinct one is classified once."""

    def __init__(self) -> None:
        self._known: dict[str, str | None] = {}  # None: a quotation mark

    def of(self, words: Iterable[str]) -> list[str]:
        """The kind of each word of a text."""
        quotes: Counter[str] = Counter()
        kinds = []
        for word in words:
            try:
                kind = self._known[word]
            except KeyError:
                kind = self._known[word] = WORD if _is_word(word) else None if is_quotation_mark(word) else word
            if kind is None:
                quotes[word] += 1
                kind = f"{word}{'opens' if quotes[word] % 2 else 'closes'}"
            kinds.append(kind)
        return kinds


def is_quotation_mark(word: str) -> bool:
    """Whether a word or mark is a quotation mark, which opens or closes by how many like it came before."""
    return _QUOTE.fullmatch(word) is not None


def _is_word(word: str) -> bool:
    return word == UNKNOWN or _WORD.match(word) is not None


def _space(gap: str) -> str:
    """A gap as it is learnt: none or one space character as it is; anything else (line ends, longer gaps) as " "."""
    return gap if not gap or (len(gap) == 1 and gap.isspace() and gap not in _LINE_ENDS) else " "


def _most_frequent(counts: Counter[T]) -> T:
    """The most frequent entry; ties go to a space, so that the order of the texts does not matter."""
    return min(counts, key=lambda one: (-counts[one], not one, one))


def _checked(row: object) -> Row:
    if (
        isinstance(row, list | tuple)
        and len(row) == 3
        and all(part is None or isinstance(part, str) for part in row[:2])
        and isinstance(row[2], str)
        and (not row[2] or row[2].isspace())
    ):
        return row[0], row[1], row[2]
    raise ValueError(f"spacing must be rows of [left, right, white space], but one is {row!r}")
