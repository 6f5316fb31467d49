"""A trained model as a folder: all that predicting needs, and no pickle.

`bundle.json` (format version, kind and settings of the model, of the search, and of a model that continues text what it
has to know of the stream it was trained on), `tokenizers.json`, `weights.safetensors`; for people, `README.md`. It may
be copied to another machine; a model of somebody's own package needs that package there, and the user's trust in it.

A bundle may come from anywhere: what it names is looked up (see `seqlab.kinds`), its settings are held against the
constructors' types and against the shapes of the weights, and only then is anything built.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch

from seqlab.arguments import check_arguments
from seqlab.decoding import Search
from seqlab.errors import InputError
from seqlab.inference.predictor import Predictor
from seqlab.inference.streams import StreamFormat
from seqlab.inference.weights import Kept, check_fit, load_weights, no_more_than, numbers_in, read_header, write_weights
from seqlab.kinds import MODELS, SEARCHES, TOKENIZERS, Kinds, Named, Trust
from seqlab.models.base import Seq2Seq
from seqlab.text.plain_json import read_json
from seqlab.text.tokenizers import Tokenizer, from_json, to_json
from seqlab.version import __version__

FORMAT = 4
"""Formats 1 to 3 named classes by their modules."""

LARGEST = 1_000_000
"""An integer among settings, where the weights have fewer numbers; tokens of an output times outputs of a search."""


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
        settings: arguments of the model's constructor, its sizes among them.
        stream: of a model that continues text.
        card: what is to be said of the model.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        temporary.chmod(0o755)
        write_weights(temporary / "weights.safetensors", model)
        _write_json(temporary / "tokenizers.json", [to_json(tokenizer) for tokenizer in tokenizers])
        chosen = {field.name: getattr(search, field.name) for field in fields(search) if field.init}
        content = {
            **{"format": FORMAT, "seqlab": __version__},
            "model": {"kind": MODELS.of(type(model)), "settings": dict(settings)},
            "search": {"kind": SEARCHES.of(type(search)), "settings": chosen},
            "stream": stream and asdict(stream),
        }
        _write_json(temporary / "bundle.json", content)
        if card is not None:
            (temporary / "README.md").write_text(card, encoding="utf-8")
        if folder.is_dir():  # moved aside first: a kill in between loses neither
            folder.replace(temporary.with_suffix(".old"))
        temporary.replace(folder)
        shutil.rmtree(temporary.with_suffix(".old"), ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


def load(
    path: str | Path,
    trust: Iterable[str] | Trust = (),
    made: Callable[[type[Seq2Seq]], type[Seq2Seq]] = lambda architecture: architecture,
) -> Predictor:
    """The model of a bundle, or of a run's folder, ready to predict on the CPU.

    Args:
        trust: packages whose classes the bundle may name, beside seqlab's own (and those in SEQLAB_TRUST).
        made: what to make of the architecture's class before the model is built: `trainable`, to measure it.

    Raises:
        InputError: no bundle there, one of another format or of a package that is not trusted, a broken file, or files
            that do not belong together.
    """
    folder = bundle_folder(Path(path))
    given = _Source(folder, Path(path), Trust.of(trust), made)
    content = _read(folder)
    tokenizers = given.tokenizers()
    search, stream = given.search(content), given.stream(content)
    model = given.model(content)
    for side, tokenizer in zip(("source", "target"), tokenizers, strict=True):
        if tokenizer.size != (size := getattr(model, f"{side}_size")):
            raise InputError(
                f"{folder}: the model's {side} vocabulary is {size}, but its tokenizer's is {tokenizer.size};"
                " the files are of different runs"
            )
    return Predictor(model, *tokenizers, search, stream)


def named_model(path: str | Path) -> tuple[str, dict[str, Any]]:
    """Kind and settings of the model of a bundle, or of a run's folder, as they stand there.

    Raises:
        InputError: no bundle there, or not one of this format.
    """
    folder = bundle_folder(Path(path))
    return _named(_read(folder), "model", folder)


def kinds_of(model: Seq2Seq, tokenizers: Iterable[Tokenizer], search: Search) -> list[str]:
    """The kinds that a bundle of these names."""
    found = [MODELS.of(type(model)), *(TOKENIZERS.of(type(one)) for one in tokenizers), SEARCHES.of(type(search))]
    return list(dict.fromkeys(found))


def bundle_folder(path: Path) -> Path:
    """The bundle at `path`, or in the run folder at `path`.

    Raises:
        InputError: there is none.
    """
    for folder in (path, path / "bundle"):
        if (folder / "bundle.json").is_file():
            return folder
    if not path.exists():
        raise InputError(f"{path}: no such folder; expected a bundle or a run's folder")
    raise InputError(f"{path}: no bundle.json here; expected a bundle or the folder of a finished run")


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
    """Kind and settings that stand under a key."""
    own = content.get(key)
    if not (isinstance(own, dict) and own.keys() == {"kind", "settings"} and isinstance(own["settings"], dict)):
        raise InputError(f"{folder / 'bundle.json'}: no {key!r} with kind and settings in it")
    return own["kind"], own["settings"]


@dataclass(frozen=True)
class _Source:
    """A bundle's folder, whose files may hold anything.

    Args:
        within: where no module is imported from, however trusted: what the user named.
        made: see `load`.
    """

    folder: Path
    within: Path
    trust: Trust
    made: Callable[[type[Seq2Seq]], type[Seq2Seq]]

    def model(self, content: Mapping[str, Any]) -> Seq2Seq:
        """The model with its weights, which is only built when its sizes are those of the weights."""
        cls, settings = self._checked(content, "model", MODELS, Seq2Seq)  # type: ignore[type-abstract]
        path = self.folder / "weights.safetensors"
        kept = read_header(path)
        _check_integers(settings, max(LARGEST, numbers_in(kept)))
        if MODELS.of(cls) in MODELS.classes:  # a constructor of somebody else's may need values
            with torch.device("meta"):
                check_fit(self._built(cls, settings, kept).state_dict(), kept, path)
        model = self._built(cls, settings, kept)
        check_fit(model.state_dict(), kept, path)
        load_weights(model, path)
        return model

    def _built(self, cls: type[Seq2Seq], settings: Mapping[str, Any], kept: Mapping[str, Kept]) -> Seq2Seq:
        with self._one_line("model"), no_more_than(kept):
            return self.made(cls)(**settings)

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
        """What there is to know of the stream, if the model was trained on one."""
        if "stream" not in content:
            raise InputError(f"{self.folder / 'bundle.json'}: no 'stream' in it")
        if content["stream"] is None:
            return None
        if not isinstance(content["stream"], dict):
            raise InputError(f"{self.folder / 'bundle.json'}: stream: expected settings")
        settings = check_arguments(StreamFormat, content["stream"], f"{self.folder}: stream")
        _check_integers(settings, LARGEST)
        with self._one_line("stream"):
            return StreamFormat(**settings)

    def tokenizers(self) -> tuple[Tokenizer, Tokenizer]:
        """Those of the sources and of the targets."""
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
        """The class that stands under a key, and its settings, held against its constructor's types."""
        kind, settings = _named(content, key, self.folder)
        try:
            cls = kinds.find(kind, base, self.trust, self.within)
        except InputError as error:
            raise InputError(f"{self.folder}: {error}") from None
        return cls, check_arguments(cls, settings, f"{self.folder}: {key}")

    @contextlib.contextmanager
    def _one_line(self, key: str) -> Iterator[None]:
        """One line of what a constructor says of settings that are not its own."""
        try:
            yield
        except (TypeError, ValueError, RuntimeError, OverflowError, ArithmeticError) as error:
            reason = " ".join(str(error).split())[:300]
            raise InputError(f"{self.folder / 'bundle.json'}: {key}: {reason}") from None


def _check_integers(settings: Mapping[str, Any], limit: int) -> None:
    """Refuses integers that no model of this size, and no output of it, has a use for: they would be built."""
    for name, value in settings.items():
        for one in value if isinstance(value, list | tuple) else [value]:
            if isinstance(one, int) and abs(one) > limit:
                raise InputError(f"{name} must be at most {limit:,} here, but is {one}")
