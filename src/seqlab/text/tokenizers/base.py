"""What every tokenizer offers, and tokenizers as JSON."""

from __future__ import annotations

import functools
import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

from seqlab.errors import InputError
from seqlab.symbols import UNK

UNKNOWN = "<unk>"
"""How an unknown symbol is written."""


class Tokenizer(ABC):
    """What every tokenizer offers. A tokenizer of your own subclasses this and needs nothing else.

    `lower` says that case is lost: outputs are then compared with references that have none either. `lossless` says
    that nothing else is: but for unknown symbols, tokens stand for all of a text.
    """

    lower = False
    lossless = False

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

    def continued(self, text: str) -> list[int]:
        """The ids of text that goes on where another ended, which was not empty.

        After the ids of that one they decode to both texts joined, if the tokenizer is `lossless`.
        """
        return self.encode(text)

    @abstractmethod
    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`; specials are left out."""

    def comparable(self, text: str) -> str | None:
        """A text without what the tokenizer does not keep of it, by which texts are compared.

        None if it cannot be compared: the tokenizer does not know all of it, or cannot express it.
        """
        try:
            ids = self.encode(text)
        except ValueError:
            return None
        return None if UNK in ids else self.decode(ids)

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

    An output with an unknown symbol matches nothing but that very text.
    """
    comparable = tokenizer.comparable(output)
    return any(
        output == reference or (comparable is not None and comparable == tokenizer.comparable(reference))
        for reference in references
    )


Fit = Callable[[Iterable[str]], Tokenizer]
"""How a tokenizer is learnt from texts, which are gone through once: `CharacterTokenizer.fit`, or a partial of one."""


def fit_settings(fit: Fit) -> dict[str, Any]:
    """What identifies a way of learning a tokenizer: the function's name and its bound arguments.

    Raises:
        ValueError: a function without a name.
    """
    if isinstance(fit, functools.partial):
        return {**fit_settings(fit.func), "arguments": {"args": list(fit.args), **fit.keywords}}
    owner = getattr(fit, "__self__", None)  # of a class method: `fit` may be inherited
    name = (
        f"{owner.__qualname__}.{fit.__name__}" if isinstance(owner, type) else getattr(fit, "__qualname__", "<lambda>")
    )
    if "<lambda>" in name:
        raise ValueError(f"tokenizer must be a named function or a partial of one, but is {fit!r}")
    return {"function": f"{owner.__module__ if owner else fit.__module__}.{name}"}
