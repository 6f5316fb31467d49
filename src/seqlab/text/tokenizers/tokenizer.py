"""The base class of tokenizers, and tokenizers as JSON."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from seqlab.arguments import check_arguments
from seqlab.code_hash import own_source
from seqlab.errors import InputError
from seqlab.kinds import NOTHING, TOKENIZERS, Trust
from seqlab.special_tokens import UNK
from seqlab.text.forms import Form, checked, formed

UNKNOWN = "<unk>"
"""How an unknown symbol appears in decoded text."""
CONTEXT = 256
"""How many tokens the text of the next one may depend on."""


class Tokenizer(ABC):
    """Base class of all tokenizers. To write a tokenizer, subclass this; nothing else is needed.

    `lower`: the tokenizer lower-cases, so outputs are compared with lower-cased references. `lossless`: apart from
    case and unknown symbols, decoding gives the whole text back. `form` names the steps that the training texts went
    through (see `seqlab.text.forms`): a dataset sets it, and it is saved with the tokenizer.
    """

    lower = False
    lossless = False
    form: Form = ()

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of ids, the four special tokens included."""

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """The ids of `text`, without BOS and EOS.

        Raises:
            ValueError: the text cannot be encoded at all (for example, an integer out of range).
        """

    def read(self, text: str) -> list[int]:
        """The ids of a text from outside, after the same steps (`form`) as the texts the tokenizer was fit on.

        Every text that does not come from a dataset enters here.

        Raises:
            ValueError: it is not valid Unicode (it has half of a surrogate pair), or cannot be encoded.
        """
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"not valid Unicode text: {text[error.start]!r} at character {error.start + 1}") from None
        return self.encode(formed(text, self.form))

    def read_leniently(self, text: str) -> tuple[list[int], list[str]]:
        """As `read`, but every symbol that has no id becomes UNK; also those symbols, each once.

        Raises:
            ValueError: the text cannot be encoded for another reason.
        """
        ids = self.read(text)
        return ids, (self.unknown(formed(text, self.form)) or [UNKNOWN]) if UNK in ids else []

    def unknown(self, text: str) -> list[str]:
        """The symbols of a text that have no id, each once; none if the tokenizer does not tell."""
        return []

    def continued(self, text: str) -> list[int]:
        """The ids of a text that continues a previous, non-empty one.

        If the tokenizer is `lossless`, the ids of the previous text followed by these decode to both texts joined.
        """
        return self.encode(text)

    @abstractmethod
    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`; PAD, BOS and EOS are left out."""

    def context(self, ids: Sequence[int]) -> list[int]:
        """The few tokens of `ids` that decide on the text of further ones: it is the same as after all of them."""
        return list(ids[-CONTEXT:])

    def piece(self, token: int) -> str:
        """One token as a person is to see it."""
        return self.decode([token])

    def comparable(self, text: str) -> str | None:
        """What the tokenizer keeps of a text: two texts with the same result count as equal.

        None if the text cannot be compared, because it has unknown symbols or cannot be encoded.
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
        """What decides which id means what: two tokenizers with the same value can be exchanged under a model."""
        return {name: value for name, value in to_json(self).items() if name != "form"}


def to_json(tokenizer: Tokenizer) -> dict[str, Any]:
    """A tokenizer as JSON: its kind, the form of its texts and its constructor's arguments."""
    return {"kind": TOKENIZERS.of(type(tokenizer)), "form": list(tokenizer.form), "settings": tokenizer.state()}


def from_json(data: Any, trust: Trust = NOTHING, within: Path | None = None) -> Tokenizer:
    """The tokenizer that `to_json` described.

    Args:
        trust: packages whose classes `data` may name.
        within: the folder that `data` comes from; modules in it are never imported.

    Raises:
        InputError: `data` is no such description, its class is unknown or not trusted, or the class refuses the
            settings.
    """
    if not (isinstance(data, dict) and data.keys() == {"kind", "form", "settings"}):
        raise InputError("a tokenizer must have a kind, a form and settings")
    if not isinstance(data["settings"], dict):
        raise InputError("a tokenizer's settings must be a JSON object")
    cls = TOKENIZERS.find(data["kind"], Tokenizer, trust, within)  # type: ignore[type-abstract]
    settings = check_arguments(cls, data["settings"], "tokenizer")
    try:
        tokenizer = cls(**settings)
        tokenizer.form = checked(data["form"])
    except InputError:
        raise
    except Exception as error:  # a constructor may raise anything on wrong settings
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"tokenizer {data['kind']}: {reason}") from None
    return tokenizer


def matches_one(tokenizer: Tokenizer, output: str, references: Collection[str]) -> bool:
    """Whether an output equals one of the references, ignoring what the tokenizer does not keep (spacing, case).

    An output with an unknown symbol matches only the identical text.
    """
    if output in references:  # without the work of encoding any
        return True
    comparable = tokenizer.comparable(output)
    return comparable is not None and any(comparable == tokenizer.comparable(reference) for reference in references)


Fit = Callable[[Iterable[str]], Tokenizer]
"""Fits a tokenizer in one pass over the texts: `CharacterTokenizer.fit`, for example, or a partial of it."""


def fit_settings(fit: Fit) -> dict[str, Any]:
    """What identifies a `Fit`, as part of a cache key: the function's name, the code of a user's own, and its bound
    arguments.

    Raises:
        ValueError: a function without a name.
    """
    if isinstance(fit, functools.partial):
        return {**fit_settings(fit.func), "arguments": {"args": list(fit.args), **fit.keywords}}
    owner = getattr(fit, "__self__", None)  # the class of a class method, because `fit` may be inherited
    name = (
        f"{owner.__qualname__}.{fit.__name__}" if isinstance(owner, type) else getattr(fit, "__qualname__", "<lambda>")
    )
    if "<lambda>" in name:
        raise ValueError(f"tokenizer must be a named function or a partial of one, but is {fit!r}")
    module = owner.__module__ if owner else fit.__module__
    return {"function": f"{module}.{name}", "code": own_source(owner if isinstance(owner, type) else fit)}
