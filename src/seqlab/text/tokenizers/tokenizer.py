"""What every tokenizer offers, and tokenizers as JSON."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from seqlab.arguments import check_arguments
from seqlab.errors import InputError
from seqlab.kinds import NOTHING, TOKENIZERS, Trust
from seqlab.special_tokens import UNK
from seqlab.text.forms import Form, checked, formed

UNKNOWN = "<unk>"
"""How an unknown symbol is written."""


class Tokenizer(ABC):
    """What every tokenizer offers. A tokenizer of your own subclasses this and needs nothing else.

    `lower` says that case is lost: outputs are then compared with references that have none either. `lossless` says
    that nothing else is: but for unknown symbols, tokens stand for all of a text. `form` names what was done to the
    texts that it was learnt from: a dataset sets it, and it is saved with the tokenizer.
    """

    lower = False
    lossless = False
    form: Form = ()

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

    def read(self, text: str) -> list[int]:
        """The ids of a text from outside, brought into the form of the texts that the tokenizer was learnt from.

        Every text that is no dataset's own enters here.

        Raises:
            ValueError: it is no text (half of a surrogate pair is in it), or cannot be expressed.
        """
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"not valid Unicode text: {text[error.start]!r} stands at {error.start + 1}") from None
        return self.encode(formed(text, self.form))

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
        return {name: value for name, value in to_json(self).items() if name != "form"}


def to_json(tokenizer: Tokenizer) -> dict[str, Any]:
    """A tokenizer as JSON: its kind, the form of its texts and its constructor's arguments."""
    return {"kind": TOKENIZERS.of(type(tokenizer)), "form": list(tokenizer.form), "settings": tokenizer.state()}


def from_json(data: Any, trust: Trust = NOTHING, within: Path | None = None) -> Tokenizer:
    """The tokenizer that `to_json` described.

    Args:
        trust: packages whose classes `data` may name.
        within: the folder that `data` comes from, in which no module is looked for.

    Raises:
        InputError: `data` is no such description, its class is not known or not trusted, or it refuses its settings.
    """
    if not (isinstance(data, dict) and data.keys() == {"kind", "form", "settings"}):
        raise InputError("a tokenizer must have a kind, a form and settings")
    if not isinstance(data["settings"], dict):
        raise InputError("a tokenizer's settings must be named")
    cls = TOKENIZERS.find(data["kind"], Tokenizer, trust, within)  # type: ignore[type-abstract]
    settings = check_arguments(cls, data["settings"], "tokenizer")
    try:
        tokenizer = cls(**settings)
        tokenizer.form = checked(data["form"])
    except InputError:
        raise
    except Exception as error:  # whatever a constructor makes of settings that are not its own
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"tokenizer {data['kind']}: {reason}") from None
    return tokenizer


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
