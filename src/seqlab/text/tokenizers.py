"""Tokenizers: text to ids and back. PAD, BOS, EOS and UNK are 0 to 3 in all of them; own symbols follow.

`encode` never adds BOS or EOS (the data does); `decode` leaves the four specials out, except that an UNK shows
as U+FFFD, the replacement character. `fit` learns a vocabulary from training texts alone.
"""

from __future__ import annotations

import base64
import importlib
import io
import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import regex

from seqlab.checks import check_sizes
from seqlab.errors import InputError
from seqlab.symbols import BOS, EOS, PAD, SPECIALS, UNK

log = logging.getLogger(__name__)
UNKNOWN = "\N{REPLACEMENT CHARACTER}"


class Tokenizer(ABC):
    """What every tokenizer offers. A tokenizer of your own subclasses this and needs nothing else.

    `lower` says that case is lost: outputs are then compared with references that have none either.
    """

    lower = False

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of ids, the four specials included."""

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """The ids of `text`, without BOS and EOS.

        Raises:
            ValueError: the text cannot be expressed at all (an integer out of range, say).
        """

    @abstractmethod
    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`; specials are left out."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """The constructor's arguments, ready for JSON."""

    def vocabulary(self) -> dict[str, Any]:
        """What decides which id means what: a model can go from one tokenizer to another if this is the same."""
        return to_json(self)


def to_json(tokenizer: Tokenizer) -> dict[str, Any]:
    """A tokenizer as JSON: its class and its constructor's arguments."""
    cls = type(tokenizer)
    return {"class": f"{cls.__module__}.{cls.__qualname__}", **tokenizer.state()}


def from_json(data: dict[str, Any]) -> Tokenizer:
    """The tokenizer that `to_json` described.

    Raises:
        InputError: the class does not exist or is no `Tokenizer`.
    """
    path = str(data.get("class"))
    module, _, name = path.rpartition(".")
    try:
        cls = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError, TypeError):
        raise InputError(f"tokenizer class {path!r} cannot be imported") from None
    if not (isinstance(cls, type) and issubclass(cls, Tokenizer)):
        raise InputError(f"{path!r} is not a Tokenizer")
    try:
        return cls(**{key: value for key, value in data.items() if key != "class"})
    except TypeError as error:
        raise InputError(f"tokenizer {path}: {error}") from None


def matches_one(tokenizer: Tokenizer, output: str, references: Iterable[str]) -> bool:
    """Whether an output is one of the references, as far as the tokenizer can tell texts apart (spacing, case).

    An output with an unknown symbol matches nothing.
    """
    if UNKNOWN in output:
        return False
    return any(output == reference or output == _reread(tokenizer, reference) for reference in references)


def _reread(tokenizer: Tokenizer, text: str) -> str | None:
    try:
        return tokenizer.decode(tokenizer.encode(text))
    except ValueError:
        return None  # the tokenizer cannot express it, so no output is it


class IntegerTokenizer(Tokenizer):
    """Integers `smallest` to `largest`, written with spaces or commas between: "3 1 2".

    The integer n is id n − smallest + 4. With `fill`, every sequence is an array of exactly `max_length` numbers
    whose end is filled with zeros; that zero is a symbol of its own (the last id), not PAD, and is dropped from the
    end of decoded text.

    Raises:
        ValueError: `largest` below `smallest`, or `fill` where zero is already one of the integers.
    """

    def __init__(self, smallest: int, largest: int, max_length: int, fill: bool = False) -> None:
        if largest < smallest:
            raise ValueError(f"largest must be at least smallest ({smallest}), but is {largest}")
        check_sizes(max_length=max_length)
        if fill and smallest <= 0 <= largest:
            raise ValueError(f"fill needs zero outside smallest..largest, but they are {smallest}..{largest}")
        self.smallest, self.largest, self.max_length, self.fill = smallest, largest, max_length, fill

    @property
    def size(self) -> int:
        return SPECIALS + self.largest - self.smallest + 1 + self.fill

    @property
    def filler(self) -> int | None:
        """The id of the zero that fills up arrays, if they are filled."""
        return self.size - 1 if self.fill else None

    @staticmethod
    def words(text: str) -> list[str]:
        """The parts of `text` between spaces and commas."""
        return text.replace(",", " ").split()

    def ids(self, integers: np.ndarray) -> np.ndarray:
        """Ids of an array of integers, any shape."""
        return integers - self.smallest + SPECIALS

    def encode(self, text: str) -> list[int]:
        words = self.words(text)
        if not words:
            raise ValueError(f"no integers; expected 1 to {self.max_length} of {self.smallest}..{self.largest}")
        if len(words) > self.max_length:
            raise ValueError(f"{len(words)} integers; expected at most {self.max_length}")
        ids = [self._id(word) for word in words]
        return ids + [self.size - 1] * (self.max_length - len(ids)) if self.fill else ids

    def _id(self, word: str) -> int:
        if not regex.fullmatch(r"[+-]?[0-9]+", word):
            raise ValueError(f"{word!r} is not an integer; expected {self.smallest}..{self.largest}")
        number = int(word)
        if not self.smallest <= number <= self.largest:
            raise ValueError(f"{number} is out of range; expected {self.smallest}..{self.largest}")
        return number - self.smallest + SPECIALS

    def decode(self, ids: Iterable[int]) -> str:
        own = [i for i in ids if i >= UNK]
        while self.fill and own and own[-1] == self.filler:
            own.pop()
        return " ".join(self._word(i) for i in own)

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
        return {name: value for name, value in to_json(self).items() if name != "max_length"}


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

    @classmethod
    def fit(cls, texts: Iterable[str]) -> CharacterTokenizer:
        """The alphabet of `texts`, in code-point order."""
        return cls(sorted(set().union(*texts)))

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
        try:
            self._matches = regex.compile(pattern).finditer
        except regex.error as error:
            raise ValueError(f"pattern must be a regular expression, but is {pattern!r}: {error}") from None

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


class SentencePieceTokenizer(Tokenizer):
    """Subwords by sentencepiece: byte-pair encoding (arXiv 1508.07909) or a unigram model (arXiv 1804.10959).

    Text is taken as it is (no normalisation, but for case where `lower` is set) and characters never seen fall back
    to their bytes, so that nothing becomes UNK and decoding gives the text back (U+2581, which sentencepiece uses for
    the space, excepted).
    """

    def __init__(self, model: str, lower: bool = False) -> None:
        from sentencepiece import SentencePieceProcessor

        self._model, self.lower = model, lower
        self._processor = SentencePieceProcessor(model_proto=base64.b64decode(model))

    @classmethod
    def fit(
        cls,
        texts: Iterable[str],
        vocabulary_size: int = 4000,
        algorithm: Literal["bpe", "unigram"] = "bpe",
        lower: bool = False,
    ) -> SentencePieceTokenizer:
        """Trains on `texts`; a vocabulary larger than they can fill is lowered, with a warning.

        Raises:
            InputError: the vocabulary is too small even for the characters of the texts.
        """
        texts = [text.lower() if lower else text for text in texts]
        try:
            return cls(_train(texts, vocabulary_size, algorithm), lower)
        except RuntimeError as error:
            if limit := regex.search(r"value <= (\d+)", str(error)):
                log.warning("vocabulary size lowered from %d to %s: the texts are few", vocabulary_size, limit[1])
                return cls(_train(texts, int(limit[1]), algorithm), lower)
            reason = str(error).strip().splitlines()[-1]
            raise InputError(f"sentencepiece cannot train a vocabulary of {vocabulary_size}: {reason}") from None

    @property
    def size(self) -> int:
        return self._processor.vocab_size()

    def encode(self, text: str) -> list[int]:
        try:
            return self._processor.encode(text.lower() if self.lower else text)
        except RuntimeError:
            raise ValueError(f"{text!r} is not valid Unicode text") from None

    def decode(self, ids: Iterable[int]) -> str:
        return self._processor.decode([int(i) for i in ids if i > EOS])

    def state(self) -> dict[str, Any]:
        return {"model": self._model, "lower": self.lower}


def _train(texts: list[str], vocabulary_size: int, algorithm: str) -> str:
    from sentencepiece import SentencePieceTrainer

    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        model_type=algorithm,
        vocab_size=vocabulary_size,
        pad_id=PAD,
        bos_id=BOS,
        eos_id=EOS,
        unk_id=UNK,
        unk_surface=UNKNOWN,
        byte_fallback=True,
        character_coverage=1.0,
        normalization_rule_name="identity",
        max_sentence_length=1 << 24,  # bytes; sentencepiece passes over longer texts without a word
        remove_extra_whitespaces=False,
        num_threads=1,  # several threads would make the model depend on the machine
        minloglevel=2,
    )
    return base64.b64encode(model.getvalue()).decode()
