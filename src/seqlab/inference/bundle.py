"""A bundle: a folder with a trained model and all that inference needs, without pickle.

Its files are `bundle.json` (format version; kind and settings of model and search; for a language model the format of
its stream), `tokenizers.json`, `weights.safetensors` and, for people, `README.md`. It can be copied to another machine.
A model of a third-party package needs that package there, and the user has to trust it.

A bundle may come from an untrusted source. The classes that it names are looked up (see `seqlab.kinds`), its settings
are checked against the constructors' types and the shapes of the weights, and only then is anything built.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch

from seqlab.arguments import check_arguments
from seqlab.decoding import Search
from seqlab.errors import InputError
from seqlab.folders import bundle_folder, replaced_folder
from seqlab.hub_models import local_copy
from seqlab.inference.predictor import Predictor
from seqlab.inference.streams import StreamFormat
from seqlab.inference.weights import (
    NoInitialization,
    TensorInfo,
    check_fit,
    count_elements,
    limited_parameters,
    load_weights,
    read_header,
    write_weights,
)
from seqlab.kinds import MODELS, SEARCHES, TOKENIZERS, Kinds, Named, Trust
from seqlab.models.base import Seq2Seq
from seqlab.text.plain_json import read_json
from seqlab.text.tokenizers import Tokenizer, from_json, to_json
from seqlab.version import __version__

FORMAT = 4
"""The version of the format. Versions 1 to 3 named classes by their modules."""

LARGEST = 1_000_000
"""The limit of integers in settings (or the number of weights, if that is larger), and of a search's tokens per source
(`max_length` times the number of outputs)."""


def save(
    folder: Path,
    model: Seq2Seq,
    settings: Mapping[str, Any],
    tokenizers: tuple[Tokenizer, Tokenizer],
    search: Search,
    stream: StreamFormat | None = None,
    card: str | None = None,
) -> None:
    """Writes a bundle; an existing one is replaced as a whole.

    Args:
        settings: arguments of the model's constructor, the vocabulary sizes included.
        stream: the format of the stream, for a language model.
        card: the text of `README.md`.
    """
    with replaced_folder(folder) as new:
        write_weights(new / "weights.safetensors", model)
        _write_json(new / "tokenizers.json", [to_json(tokenizer) for tokenizer in tokenizers])
        search_settings = {field.name: getattr(search, field.name) for field in fields(search) if field.init}
        content = {
            **{"format": FORMAT, "seqlab": __version__},
            "model": {"kind": MODELS.of(type(model)), "settings": dict(settings)},
            "search": {"kind": SEARCHES.of(type(search)), "settings": search_settings},
            "stream": stream and asdict(stream),
        }
        _write_json(new / "bundle.json", content)
        if card is not None:
            (new / "README.md").write_text(card, encoding="utf-8")


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


def load(
    path: str | Path,
    trust: Iterable[str] | Trust = (),
    wrap: Callable[[type[Seq2Seq]], type[Seq2Seq]] = lambda architecture: architecture,
) -> Predictor:
    """The model of a bundle, or of a run's folder, ready for inference on the CPU.

    Args:
        path: a folder, or `hf://USER/NAME` on the Hugging Face hub (see `seqlab.hub_models`).
        trust: packages whose classes the bundle may name, beside seqlab's own (and those in SEQLAB_TRUST).
        wrap: called with the architecture's class, returns the class to build: `trainable`, to evaluate the model.

    Raises:
        InputError: no bundle there, another format, a package that is not trusted, a broken file, or files that do not
            belong together.
    """
    path = local_copy(path)
    folder = bundle_folder(path)
    reader = _BundleReader(folder, path, Trust.of(trust), wrap)
    content = _read(folder)
    tokenizers = reader.tokenizers()
    search, stream = reader.search(content), reader.stream(content)
    model = reader.model(content)
    for side, tokenizer in zip(("source", "target"), tokenizers, strict=True):
        if tokenizer.size != (size := getattr(model, f"{side}_size")):
            raise InputError(
                f"{folder}: the model's {side} vocabulary has {size} symbols, but the tokenizer's has {tokenizer.size};"
                " the files are of different runs"
            )
    return Predictor(model, *tokenizers, search, stream)


def named_model(path: str | Path) -> tuple[str, dict[str, Any]]:
    """Kind and settings of the model in a bundle, or in a run's folder, unchecked.

    Raises:
        InputError: no bundle there, or not one of this format.
    """
    folder = bundle_folder(Path(path))
    return _named(_read(folder), "model", folder)


def check_files(folder: Path) -> None:
    """Checks the files of a bundle as far as that goes without building anything.

    Raises:
        InputError: one is missing or broken, or of another format.
    """
    named_model(folder)
    read_json(folder / "tokenizers.json", list)
    read_header(folder / "weights.safetensors")


def kinds_of(model: Seq2Seq, tokenizers: Iterable[Tokenizer], search: Search) -> list[str]:
    """The kinds that a bundle of these objects names."""
    kinds = [MODELS.of(type(model)), *(TOKENIZERS.of(type(one)) for one in tokenizers), SEARCHES.of(type(search))]
    return list(dict.fromkeys(kinds))


def _read(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = read_json(folder / "bundle.json", dict)
    number = content.get("format")
    if number == FORMAT and type(number) is int:
        return content
    if type(number) is int and 1 <= number < FORMAT:
        advice = "it is of an earlier seqlab: train the model again"
    elif type(number) is int and number > FORMAT:
        advice = "it is of a newer seqlab; update this one"
    else:
        advice = "there is no such format"
    raise InputError(f"{folder}: bundle format {str(number)[:20]}; this seqlab reads format {FORMAT}: {advice}")


def _named(content: Mapping[str, Any], key: str, folder: Path) -> tuple[Any, dict[str, Any]]:
    """Kind and settings under a key of `bundle.json`."""
    entry = content.get(key)
    if not (isinstance(entry, dict) and entry.keys() == {"kind", "settings"} and isinstance(entry["settings"], dict)):
        raise InputError(f"{folder / 'bundle.json'}: no {key!r} with kind and settings in it")
    return entry["kind"], entry["settings"]


@dataclass(frozen=True)
class _BundleReader:
    """Builds the parts of a bundle, whose files may hold anything.

    Args:
        within: the folder that the user named; no module is imported from it, even if its package is trusted.
        wrap: see `load`.
    """

    folder: Path
    within: Path
    trust: Trust
    wrap: Callable[[type[Seq2Seq]], type[Seq2Seq]]

    def model(self, content: Mapping[str, Any]) -> Seq2Seq:
        """The model with its weights; it is built only if its shapes are those of the weights."""
        cls, settings = self._checked(content, "model", MODELS, Seq2Seq)  # type: ignore[type-abstract]
        path = self.folder / "weights.safetensors"
        stored = read_header(path)
        _check_integers(settings, max(LARGEST, count_elements(stored)))
        if MODELS.of(cls) in MODELS.classes:  # a third-party constructor may not work on the meta device
            with torch.device("meta"), NoInitialization():
                check_fit(self._built(cls, settings, stored).state_dict(), stored, path)
        model = self._built(cls, settings, stored)
        check_fit(model.state_dict(), stored, path)
        load_weights(model, path)
        return model

    def _built(self, cls: type[Seq2Seq], settings: Mapping[str, Any], stored: Mapping[str, TensorInfo]) -> Seq2Seq:
        with self._one_line("model"), limited_parameters(stored):
            return self.wrap(cls)(**settings)

    def search(self, content: Mapping[str, Any]) -> Search:
        """The search."""
        cls, settings = self._checked(content, "search", SEARCHES, Search)  # type: ignore[type-abstract]
        _check_integers({name: value for name, value in settings.items() if name != "seed"}, LARGEST)
        with self._one_line("search"):
            search = cls(**settings)
            tokens = search.max_length * max(settings.get("size", 1), settings.get("n_best", 1))
            if tokens > LARGEST:
                raise ValueError(f"max_length times outputs must be at most {LARGEST:,}, but is {tokens:,}")
        return search

    def stream(self, content: Mapping[str, Any]) -> StreamFormat | None:
        """The format of the stream; None if the model was not trained on one."""
        if "stream" not in content:
            raise InputError(f"{self.folder / 'bundle.json'}: no 'stream' in it")
        if content["stream"] is None:
            return None
        if not isinstance(content["stream"], dict):
            raise InputError(f"{self.folder / 'bundle.json'}: stream: expected a mapping of settings")
        settings = check_arguments(StreamFormat, content["stream"], f"{self.folder}: stream")
        _check_integers(settings, LARGEST)
        with self._one_line("stream"):
            return StreamFormat(**settings)

    def tokenizers(self) -> tuple[Tokenizer, Tokenizer]:
        """The tokenizers of sources and targets."""
        path = self.folder / "tokenizers.json"
        stored = read_json(path, list)
        if len(stored) != 2:
            raise InputError(f"{path}: expected two tokenizers, but found {len(stored)}")
        try:
            source, target = (from_json(entry, self.trust, self.within) for entry in stored)
        except ValueError as error:
            raise InputError(f"{path}: {error}") from None
        return source, target

    def _checked(
        self, content: Mapping[str, Any], key: str, kinds: Kinds, base: type[Named]
    ) -> tuple[type[Named], dict[str, Any]]:
        """The class under a key of `bundle.json`, and its settings, checked against its constructor's types."""
        kind, settings = _named(content, key, self.folder)
        try:
            cls = kinds.find(kind, base, self.trust, self.within)
        except InputError as error:
            raise InputError(f"{self.folder}: {error}") from None
        return cls, check_arguments(cls, settings, f"{self.folder}: {key}")

    @contextlib.contextmanager
    def _one_line(self, key: str) -> Iterator[None]:
        """Turns a constructor's errors into one line."""
        try:
            yield
        except (TypeError, ValueError, RuntimeError, OverflowError, ArithmeticError) as error:
            reason = " ".join(str(error).split())[:300]
            raise InputError(f"{self.folder / 'bundle.json'}: {key}: {reason}") from None


def _check_integers(settings: Mapping[str, Any], limit: int) -> None:
    """Refuses integers beyond the limit, which could allocate huge models or outputs."""
    for name, value in settings.items():
        for one in value if isinstance(value, list | tuple) else [value]:
            if isinstance(one, int) and abs(one) > limit:
                raise InputError(f"{name} must be at most {limit:,} here, but is {one}")
