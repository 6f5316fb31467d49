"""Integers as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import regex

from hydra_pruning_sweeper.messages import plural
from seqlab.checks import check_sizes
from seqlab.special_tokens import SPECIALS, UNK
from seqlab.text.tokenizers.tokenizer import UNKNOWN, Tokenizer

if TYPE_CHECKING:
    import numpy as np

LONGEST = 1_000_000
"""Limit on `max_length`: with `fill`, every array is that long, whatever the text."""

_INTEGER = regex.compile(r"[+-]?[0-9]+")


class IntegerTokenizer(Tokenizer):
    """Integers `smallest` to `largest`, separated by spaces or commas: "3 1 2".

    The integer n has id n − smallest + 4. With `fill`, every sequence is an array of exactly `max_length` numbers,
    filled up with zeros at the end. That zero is a separate symbol (the last id), not PAD; `decode` drops it from the
    end.

    Raises:
        ValueError: `largest` below `smallest`, a `max_length` outside 1 to `LONGEST`, or `fill` where zero is already
            one of the integers.
    """

    def __init__(self, smallest: int, largest: int, max_length: int, fill: bool = False) -> None:
        if largest < smallest:
            raise ValueError(f"largest must be at least smallest ({smallest}), but is {largest}")
        check_sizes(max_length=max_length)
        if max_length > LONGEST:
            raise ValueError(f"max_length must be at most {LONGEST:,}, but is {max_length}")
        if fill and smallest <= 0 <= largest:
            raise ValueError(f"fill needs zero outside smallest..largest, but they are {smallest}..{largest}")
        self.smallest, self.largest, self.max_length, self.fill = smallest, largest, max_length, fill

    @property
    def size(self) -> int:
        return SPECIALS + self.largest - self.smallest + 1 + self.fill

    @property
    def filler(self) -> int | None:
        """The id of the zero that fills up arrays; None without `fill`."""
        return self.size - 1 if self.fill else None

    @staticmethod
    def words(text: str) -> list[str]:
        """The parts of `text` between spaces and commas."""
        return text.replace(",", " ").split()

    def ids(self, integers: np.ndarray) -> np.ndarray:
        """Ids of an array of integers, any shape."""
        return integers - self.smallest + SPECIALS

    def encode(self, text: str) -> list[int]:
        return self._encoded(text, self._id)

    def read_leniently(self, text: str) -> tuple[list[int], list[str]]:
        unknown = self.unknown(text)
        return self._encoded(text, lambda word: UNK if word in unknown else self._id(word)), unknown

    def unknown(self, text: str) -> list[str]:
        """What is no integer, or out of range."""
        return list(dict.fromkeys(word for word in self.words(text) if not self._knows(word)))

    def _knows(self, word: str) -> bool:
        try:
            self._id(word)
        except ValueError:
            return False
        return True

    def _encoded(self, text: str, id_of: Callable[[str], int]) -> list[int]:
        words = self.words(text)
        if not words:
            raise ValueError(f"no integers; expected 1 to {self.max_length} of {self.smallest}..{self.largest}")
        if len(words) > self.max_length:
            raise ValueError(f"{plural(len(words), 'integer')}; expected at most {self.max_length}")
        ids = [id_of(word) for word in words]
        return ids + [self.size - 1] * (self.max_length - len(ids)) if self.fill else ids

    def _id(self, word: str) -> int:
        if not _INTEGER.fullmatch(word):
            raise ValueError(f"{word!r} is not an integer; expected {self.smallest}..{self.largest}")
        number = int(word)
        if not self.smallest <= number <= self.largest:
            raise ValueError(f"{number} is out of range; expected {self.smallest}..{self.largest}")
        return number - self.smallest + SPECIALS

    def decode(self, ids: Iterable[int]) -> str:
        shown = [i for i in ids if i >= UNK]
        while self.fill and shown and shown[-1] == self.filler:
            shown.pop()
        return " ".join(self._word(i) for i in shown)

    def _word(self, i: int) -> str:
        if i == UNK:
            return UNKNOWN
        return "0" if i == self.filler else str(i - SPECIALS + self.smallest)

    def state(self) -> dict[str, Any]:
        return {
            "smallest": self.smallest,
            "largest": self.largest,
            "max_length": self.max_length,
            "fill": self.fill,
        }

    def vocabulary(self) -> dict[str, Any]:
        shared = {name: value for name, value in self.state().items() if name != "max_length"}
        return super().vocabulary() | {"settings": shared}
