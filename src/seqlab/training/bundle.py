"""A trained model as a folder: all that predicting needs, and no pickle.

`bundle.json` (format version, class and arguments of the model, how to search, of a model that continues text what it
has to know of the stream it was trained on), `tokenizers.json`, `weights.safetensors`; for people, `README.md`. It may
be copied to another machine; a model of somebody's own package needs that package there. Format 3 is the first to tell
of streams.
"""

from __future__ import annotations

import importlib
import json
import math
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from seqlab import __version__, decoding
from seqlab.data.batch import Ragged
from seqlab.decoding import Hypotheses, Search, Step
from seqlab.decoding.hypotheses import Selectable
from seqlab.errors import InputError
from seqlab.models.base import Seq2Seq
from seqlab.symbols import PAD
from seqlab.text.growing import text_after
from seqlab.text.lines import read_bytes
from seqlab.text.tokenizers import Tokenizer, from_json, to_json
from seqlab.training.build import check_arguments
from seqlab.training.streams import StreamFormat
from seqlab.training.unknowns import check_replacing, written

FORMAT = 3


class Output(NamedTuple):
    """What a model makes of a text. `score` is the natural logarithm of its probability."""

    text: str
    score: float


class Predictor:
    """A trained model with its tokenizers: text in, text out, by `search`, which may be set to another.

    One that was trained on a `stream` continues the texts it is given; of a text longer than what it was trained on it
    sees the end.
    """

    def __init__(
        self, model: Seq2Seq, source: Tokenizer, target: Tokenizer, search: Search, stream: StreamFormat | None = None
    ) -> None:
        self.model, self.source_tokenizer, self.target_tokenizer = model.eval(), source, target
        self.search, self.stream = search, stream

    def predict(self, texts: Iterable[str], batch_size: int = 256) -> list[str]:
        """The best output for each text.

        Raises:
            ValueError: a text that the tokenizer cannot express.
        """
        return [outputs[0].text for outputs in self.predict_n_best(texts, batch_size)]

    def predict_n_best(self, texts: Iterable[str], batch_size: int = 256) -> list[list[Output]]:
        """For each text all that the search gives, best first: one output at least."""
        texts = list(texts)
        return self.generate([self.encode(text) for text in texts], batch_size, texts)

    def encode(self, text: str) -> list[int]:
        """What the model is given for a text: the ids of a source, or of a prompt to go on from.

        Raises:
            ValueError: the tokenizer cannot express it.
        """
        if self.stream is None:
            return self.source_tokenizer.encode(text)
        return self.stream.prompt(self.target_tokenizer.encode(text))

    def generate(
        self, inputs: Sequence[Sequence[int]], batch_size: int = 256, texts: Sequence[str] | None = None
    ) -> list[list[Output]]:
        """The same for texts that are encoded already; those of similar length share a batch.

        Args:
            texts: those texts, where unknown words are replaced by words of them.

        Raises:
            InputError: the search replaces unknown words, which the model or its tokenizers cannot.
        """
        tokenizers = self.source_tokenizer, self.target_tokenizer
        check_replacing(self.search, self.model, *tokenizers, sources=self.stream is None)
        packed = Ragged.of(inputs)
        results: list[list[Output]] = [[]] * len(inputs)
        for rows in self._batches(packed.lengths, batch_size):
            tokens, lengths = (tensor.to(self.model.device) for tensor in packed.padded(rows))
            found = self._search(tokens, lengths)
            if self.stream is None:
                own = [texts[row] for row in rows] if texts is not None else None
                said = written(self.search, self.model, tokenizers, tokens, lengths, own, found.tokens)
            else:
                said = [
                    [text_after(self.target_tokenizer, inputs[row], ids) for ids in n_best]
                    for row, n_best in zip(rows, found.tokens.tolist(), strict=True)
                ]
            for row, n_best, scores in zip(rows.tolist(), said, found.scores.tolist(), strict=True):
                results[row] = [
                    Output(text, score)
                    for rank, (text, score) in enumerate(zip(n_best, scores, strict=True))
                    if rank == 0 or score > -math.inf  # there may be fewer than were asked for
                ]
        return results

    def begin(self, given: Sequence[int]) -> tuple[Step, Selectable, Int[Tensor, " 1"]]:
        """Where the search for what comes of one encoded text begins: see `Seq2Seq.begin`."""
        tokens, lengths = (tensor.to(self.model.device) for tensor in Ragged.of([given]).padded(np.array([0])))
        if self.stream is None:
            return self.model.begin(tokens, lengths)
        return self.model.begin(*_nothing(tokens), tokens, self.stream.length)

    def _batches(self, lengths: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
        """Rows that go together: prompts only with others of their length, for nothing may stand after them."""
        order = np.argsort(lengths, kind="stable")
        for part in [order] if self.stream is None else np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1):
            yield from (part[start : start + batch_size] for start in range(0, len(part), batch_size))

    def _search(self, tokens: Int[Tensor, "B L"], lengths: Int[Tensor, " B"]) -> Hypotheses:
        if self.stream is None:
            return self.model.generate(tokens, lengths, self.search)
        search = self.stream.search(self.search)
        return self.model.generate(*_nothing(tokens), search, tokens, self.stream.length)


def _nothing(prompts: Int[Tensor, "B P"]) -> tuple[Int[Tensor, "B 1"], Int[Tensor, " B"]]:
    """Empty sources: those of texts that are continued."""
    return torch.full_like(prompts[:, :1], PAD), prompts.new_zeros(len(prompts))


def save(
    folder: Path,
    model: Seq2Seq,
    model_config: dict[str, Any],
    tokenizers: tuple[Tokenizer, Tokenizer],
    search_config: dict[str, Any],
    stream: StreamFormat | None = None,
    card: str | None = None,
) -> None:
    """Writes a bundle; an existing one is replaced as a whole.

    Args:
        model_config: `_target_` and arguments of the model, its sizes among them.
        search_config: `_target_` and arguments of the search.
        stream: of a model that continues text.
        card: what is to be said of the model.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        temporary.chmod(0o755)
        tensors = {name: tensor.cpu().clone() for name, tensor in model.state_dict().items()}  # tied ones apart
        try:
            save_file(tensors, temporary / "weights.safetensors")
        except SafetensorError as error:
            raise InputError(f"{folder}: the weights cannot be written ({error})") from None
        (temporary / "weights.safetensors").chmod(0o644)  # safetensors writes for the user alone
        _write_json(temporary / "tokenizers.json", [to_json(tokenizer) for tokenizer in tokenizers])
        content = {
            **{"format": FORMAT, "seqlab": __version__, "model": model_config, "search": search_config},
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


def load(path: str | Path) -> Predictor:
    """The model of a bundle, or of a run's folder, ready to predict on the CPU.

    Raises:
        InputError: no bundle there, one of a newer format, a broken file, or files that do not belong together.
    """
    folder = bundle_folder(Path(path))
    content = _read_json(folder / "bundle.json", dict)
    if content.get("format") != FORMAT:
        raise InputError(f"{folder}: bundle format {content.get('format')}; this seqlab reads format {FORMAT}")
    for key in ("model", "search"):
        if not isinstance(content.get(key), dict):
            raise InputError(f"{folder / 'bundle.json'}: no {key!r} in it")
    stored = _read_json(folder / "tokenizers.json", list)
    try:
        source, target = (from_json(entry) for entry in stored)
    except (TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise InputError(f"{folder / 'tokenizers.json'}: {error}") from None
    model = _model(content["model"], folder)
    for side, tokenizer in (("source", source), ("target", target)):
        if tokenizer.size != (size := getattr(model, f"{side}_size")):
            raise InputError(
                f"{folder}: the model's {side} vocabulary is {size}, but its tokenizer's is {tokenizer.size};"
                " the files are of different runs"
            )
    _load_weights(model, folder / "weights.safetensors")
    return Predictor(model, source, target, _search(content["search"], folder), _stream(content, folder))


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


def _model(config: dict[str, Any], folder: Path) -> Seq2Seq:
    """The model that a bundle describes. Only an architecture is ever called: a bundle cannot name other code."""
    arguments = dict(config)
    module, _, name = str(arguments.pop("_target_", None)).rpartition(".")
    try:
        cls = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        raise InputError(f"{folder}: its model is {module}.{name}, which cannot be imported here") from None
    if not (isinstance(cls, type) and issubclass(cls, Seq2Seq)):
        raise InputError(f"{folder}: {module}.{name} is not an architecture (no Seq2Seq)")
    check_arguments(cls, arguments, "model")
    try:
        return cls(**arguments)
    except (TypeError, ValueError) as error:
        raise InputError(f"{folder / 'bundle.json'}: {error}") from None


def _search(config: dict[str, Any], folder: Path) -> Search:
    """The search that a bundle names: one of `seqlab.decoding`, nothing else."""
    settings = dict(config)
    module, _, name = str(target := settings.pop("_target_", None)).rpartition(".")
    cls = getattr(decoding, name, None) if module == decoding.__name__ else None
    if not (isinstance(cls, type) and issubclass(cls, Search)):
        raise InputError(f"{folder}: {target} is not a search of {decoding.__name__}")
    arguments = check_arguments(cls, settings, f"{folder}: search")
    try:
        return cls(**arguments)
    except (TypeError, ValueError) as error:
        raise InputError(f"{folder / 'bundle.json'}: search: {error}") from None


def _stream(content: dict[str, Any], folder: Path) -> StreamFormat | None:
    """What a bundle tells of the stream, if its model was trained on one."""
    if "stream" not in content:
        raise InputError(f"{folder / 'bundle.json'}: no 'stream' in it")
    if content["stream"] is None:
        return None
    try:
        return StreamFormat(**check_arguments(StreamFormat, content["stream"], f"{folder}: stream"))
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(f"{folder / 'bundle.json'}: stream: {error}") from None


def _load_weights(model: Seq2Seq, path: Path) -> None:
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: not a readable weights file ({error})") from None
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        reason = " ".join(str(error).split("\n\t")[1:2]) or str(error)
        raise InputError(f"{path}: these weights are not of this model: {reason}") from None


def _read_json(path: Path, kind: type) -> Any:
    try:
        content = json.loads(read_bytes(path))
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error})") from None
    if not isinstance(content, kind):
        raise InputError(f"{path}: expected a JSON {kind.__name__}, but found a {type(content).__name__}")
    return content
