"""Kinds: how a file names the class of a model, a tokenizer or a search, and which classes it may name.

An untrusted file must not decide which code runs. So it names kinds ("bahdanau"), whose classes seqlab knows. A class
of another package is named by its module and name ("my_lab.models:MyModel") and is imported only if the user trusts the
package, with `trust=[my_lab]` or with SEQLAB_TRUST=my_lab in the environment.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from seqlab.errors import InputError

VARIABLE = "SEQLAB_TRUST"
Named = TypeVar("Named")


@dataclass(frozen=True)
class Trust:
    """The packages whose classes a file may name, in addition to seqlab's kinds."""

    packages: frozenset[str] = frozenset()
    everything: bool = False

    @classmethod
    def of(cls, packages: Any) -> Trust:
        """These packages (a list, or a str with commas) and those in SEQLAB_TRUST.

        Raises:
            InputError: an entry is no name of a package.
        """
        if isinstance(packages, Trust):
            return packages
        typed = packages.split(",") if isinstance(packages, str) else packages or ()
        names = [*(typed if isinstance(typed, Iterable) else [typed]), *os.environ.get(VARIABLE, "").split(",")]
        names = [name.strip() if isinstance(name, str) else name for name in names]
        for name in names:
            if name != "" and not (isinstance(name, str) and name.isidentifier()):
                raise InputError(f"trust must be a list of packages, as trust=[my_lab], but holds {name!r}")
        return cls(frozenset(names) - {""})

    def covers(self, package: str) -> bool:
        """Whether classes of a top-level package may be imported."""
        return self.everything or package in self.packages


NOTHING = Trust()
EVERYTHING = Trust(everything=True)
"""For files that the user's runs have written: their configurations name classes as well, which are called anyway."""


@dataclass(frozen=True)
class Kinds:
    """The kinds of one sort of thing; `classes` maps each kind to its class, as "module:name"."""

    sort: str
    classes: Mapping[str, str]

    def of(self, cls: type) -> str:
        """The kind of a class, or "module:name" if it is not one of seqlab's."""
        name = f"{cls.__module__}:{cls.__qualname__}"
        return next((kind for kind, path in self.classes.items() if path == name), name)

    def find(self, kind: Any, base: type[Named], trust: Trust, within: Path | None = None) -> type[Named]:
        """The class of a kind, or of "module:name" in a trusted package. Nothing else is imported.

        Args:
            base: the class must be a subclass of this.
            within: the folder of the file that names the kind; a package in this folder is refused even if trusted.

        Raises:
            InputError: the kind is unknown, the package is not trusted or not installed, or the class is no subclass
                of `base`.
        """
        if isinstance(kind, str) and kind in self.classes:
            class_name = self.classes[kind]
        elif isinstance(kind, str) and _is_class_name(kind):
            class_name = kind
            self._check_trusted(kind, trust, within)
        else:
            shown = repr(kind) if len(repr(kind)) <= 80 else f"{repr(kind)[:80]}…"
            raise InputError(f"unknown kind of {self.sort} {shown}; known are {', '.join(self.classes)}")
        module, _, name = class_name.partition(":")
        try:
            found: Any = importlib.import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
        except Exception as error:  # importing a package may raise anything
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError(f"its {self.sort} is {class_name}, which cannot be imported here ({reason})") from None
        if not (isinstance(found, type) and issubclass(found, base)):
            raise InputError(f"its {self.sort} is {class_name}, which is no {base.__name__}")
        return found

    def _check_trusted(self, class_name: str, trust: Trust, within: Path | None) -> None:
        package = class_name.partition(":")[0].partition(".")[0]
        if not trust.covers(package):
            raise InputError(
                f"its {self.sort} is {class_name}, of a package that is not trusted, so nothing of it is imported; if"
                f" you trust {package}, type trust=[{package}] or set {VARIABLE}={package}"
            )
        if within is not None and not trust.everything and (inside := _lies_in(package, within)) is not None:
            raise InputError(
                f"its {self.sort} is {class_name}, but {package} would come with the bundle ({inside}); refused"
            )


def trust_typed(kinds: Iterable[str]) -> str:
    """The override that a command line needs to find these kinds: " trust=[my_lab]", or "" for seqlab's kinds."""
    packages = dict.fromkeys(kind.partition(":")[0].partition(".")[0] for kind in kinds if ":" in kind)
    return f" trust=[{','.join(packages)}]" if packages else ""


def model_name(settings: Mapping[str, Any]) -> str:
    """The name of a model, from its settings, as a user types it: that of seqlab's module ("bahdanau") or, of the model
    that one option per cell configures, of its cell ("gru"). Of another package it is the name of the class.
    """
    module, _, name = str(settings["_target_"]).rpartition(".")
    if name == "FixedVector" and (cell := settings.get("cell")):
        return str(cell)
    return module.rpartition(".")[2] if module.startswith("seqlab.") else name


def _is_class_name(text: str) -> bool:
    module, colon, name = text.partition(":")
    return bool(colon) and len(text) <= 200 and all(part.isidentifier() for part in f"{module}.{name}".split("."))


def _lies_in(package: str, folder: Path) -> str | None:
    """The path in `folder` that a top-level package would be imported from; None if it is elsewhere or missing."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):  # __main__ has none
        return None
    paths: Iterable[str | None] = [] if spec is None else [spec.origin, *(spec.submodule_search_locations or ())]
    for path in paths:
        if path is not None and Path(path).resolve().is_relative_to(folder.resolve()):
            return path
    return None


MODELS = Kinds(
    "model",
    {
        "bahdanau": "seqlab.models.bahdanau:Bahdanau",
        "context_gru": "seqlab.models.context_gru:ContextGRU",
        "conv": "seqlab.models.conv:Conv",
        "fixed_vector": "seqlab.models.fixed_vector:FixedVector",
        "gpt": "seqlab.models.gpt:GPT",
        "luong": "seqlab.models.luong:Luong",
        "transformer": "seqlab.models.transformer:Transformer",
    },
)
TOKENIZERS = Kinds(
    "tokenizer",
    {
        "byte": "seqlab.text.tokenizers.vocabularies:ByteTokenizer",
        "character": "seqlab.text.tokenizers.vocabularies:CharacterTokenizer",
        "grapheme": "seqlab.text.tokenizers.vocabularies:GraphemeTokenizer",
        "integer": "seqlab.text.tokenizers.integers:IntegerTokenizer",
        "sentencepiece": "seqlab.text.tokenizers.subwords:SentencePieceTokenizer",
        "word": "seqlab.text.tokenizers.vocabularies:WordTokenizer",
    },
)
SEARCHES = Kinds(
    "search",
    {
        "beam": "seqlab.decoding.beam:Beam",
        "greedy": "seqlab.decoding.greedy:Greedy",
        "sample": "seqlab.decoding.sampling:Sample",
    },
)
