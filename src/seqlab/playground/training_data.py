"""What of a typed text appears in the training data of a run, which is read again as the run's own settings say.

A run's folder may come from somewhere else. So only seqlab's own datasets are built (their settings name classes, which
could be any), nothing is fetched, no cache is used that others may have written, and there are limits on size.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqlab import paths
from seqlab.config.component import Component
from seqlab.config.data_and_model import build_data
from seqlab.config.plain import kept_run, kept_start
from seqlab.data.documents import Documents
from seqlab.data.module import SequenceData
from seqlab.errors import InputError
from seqlab.folders import BUNDLE, CONFIGURATION, SETTINGS
from seqlab.inference.predictor import Predictor
from seqlab.metrics.leakage import NEAR
from seqlab.metrics.training_index import TrainingIndex
from seqlab.runs.result import RunResult
from seqlab.text.forms import formed
from seqlab.text.sentences import sentences
from seqlab.text.tokenizers import IntegerTokenizer

DATASETS = frozenset(
    f"seqlab.data.{name}"
    for name in (
        *("anki.Anki", "dates.Dates", "documents.Documents", "numbers.Numbers", "pair_files.PairFiles"),
        *("parallel.Parallel", "reversal.Reversal", "toy.IntegerPairs"),
    )
)
"""Those that need no network: all but that of the hub."""
PARTS = frozenset(
    (
        *("seqlab.text.documents.Cleaning", "seqlab.text.documents.Limits"),
        *(
            f"seqlab.text.tokenizers.{kind}Tokenizer.fit"
            for kind in ("Byte", "Character", "Grapheme", "SentencePiece", "Word")
        ),
    )
)
"""What else the settings of these may name."""
FILES = ("path", "validation_path")
"""Settings that name files."""
MOST_BYTES = 300_000_000
"""Of the files together: a dataset of pairs is held in memory while it is indexed."""
MOST_SAMPLES = 1_000_000
"""Of data that is generated."""
SHOWN = 5
"""How many sentences that resemble one in training are shown."""
UNKNOWN = "not known: a bundle alone does not keep what it was trained on; open the folder of its run to see it"


def run_of(bundle: Path) -> Path | None:
    """The folder of the run that a bundle lies in; None if it lies in none that has kept its settings."""
    run = bundle.absolute().parent
    return run if bundle.name == BUNDLE and (run / SETTINGS).is_file() else None


@dataclass(frozen=True)
class SearchableTraining:
    """The training data of a run, to be searched.

    Args:
        data: one line on where it comes from.
        sentences: splits a text as the data does; a source of pairs is one.
    """

    data: str
    index: TrainingIndex
    sentences: Callable[[str], Sequence[str]]

    def search(self, predictor: Predictor, text: str) -> Mapping[str, Any]:
        """What of a text appears in training, as plain data for JSON.

        `longest` has for each token that the model reads the size of the longest n-gram around it that appears.

        Raises:
            InputError: the tokenizer cannot express the text.
        """
        try:
            ids, _ = predictor.encode_leniently(text)
        except ValueError as error:
            raise InputError(str(error)) from None
        texts = [one for one in self.sentences(_as_read(predictor, text)) if one.strip()]
        seen = self.index.seen(ids, texts)
        rows = zip(texts, seen.copies.tolist(), seen.similarities.tolist(), seen.nearest, strict=True)
        each = [
            {"text": one[:LONGEST], "copy": copy, "similarity": similarity, "nearest": nearest[:LONGEST]}
            for one, copy, similarity, nearest in rows
        ]
        return {
            "data": self.data,
            "tokens": self.index.tokens,
            "complete": self.index.complete,
            "longest": seen.longest.tolist(),
            "ngrams": seen.overlap.ngrams,
            "count": len(each),
            "copies": int(seen.copies.sum()),
            "near": int(((seen.similarities > NEAR) & ~seen.copies).sum()),
            "sentences": sorted(each, key=lambda one: -one["similarity"])[:SHOWN],
        }


LONGEST = 300
"""Characters of a sentence that are shown."""


def _as_read(predictor: Predictor, text: str) -> str:
    tokenizer = predictor.source_tokenizer
    if isinstance(tokenizer, IntegerTokenizer):
        return " ".join(tokenizer.words(text))
    return formed(text, tokenizer.form)


def searchable_training(run: Path) -> SearchableTraining:
    """Reads the training data of the run in a folder, and indexes it.

    Raises:
        InputError: the run did not keep what it was trained on, its files are not there or have changed, it has
            settings that are not followed here, or it is beyond a limit.
    """
    recorded = RunResult.read(run).identity.data
    if recorded is None:
        raise InputError("the run has not kept what its data was: it is of an earlier seqlab")
    with _temporary_folder() as cache:
        data = build_data(_settings(run, cache))
        _check_the_same(recorded, data.identity())
        side, parts = _training_side(data)
        index = TrainingIndex(parts)
        language = data.texts.language if isinstance(data, Documents) else "en"
    split = (lambda text: _sentences(text, language)) if side == "sentences" else (lambda text: [text])
    return SearchableTraining(data.describe(), index, split)


@contextlib.contextmanager
def _temporary_folder() -> Iterator[str]:
    """A folder that is gone afterwards, also where the page is closed while a thread still reads data into it."""
    folder = tempfile.mkdtemp(prefix="seqlab-play-")
    remove = functools.partial(remove_for_good, Path(folder))
    atexit.register(remove)
    try:
        yield folder
    finally:
        remove()
        atexit.unregister(remove)


def remove_for_good(folder: Path) -> None:
    """Removes a folder into which a thread may still write: it is renamed first, so the thread finds it no more."""
    gone = folder.with_name(f"{folder.name}.gone")
    with contextlib.suppress(FileNotFoundError):
        folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _sentences(text: str, language: str) -> list[str]:
    return [one for _, one in sentences(text.splitlines(keepends=True), language)]


def _training_side(data: SequenceData) -> tuple[str, Iterator[Any]]:
    """The name of the first side of the training split (sources, where there are any), and its passages."""
    parts = data.passages("train")
    first = next(parts)
    side = next(iter(first))

    def passages() -> Iterator[Any]:
        yield first[side]
        for one in parts:
            yield one[side]

    return side, passages()


def _check_the_same(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    def trained_on(identity: Mapping[str, Any]) -> tuple[Any, Any]:
        splits = identity.get("splits")
        return identity.get("vocabularies"), splits.get("train") if isinstance(splits, Mapping) else None

    if trained_on(recorded) != trained_on(now):
        raise InputError("what the run's settings name now is not what it was trained on: the files have changed")


def _settings(run: Path, cache: str) -> Component:
    """The settings of a run's data: checked, with absolute paths, and with another cache."""
    try:
        data, directory = kept_run(run).data, kept_start(run).directory
    except Exception as error:  # Hydra's files may hold anything
        raise InputError(f"{run / CONFIGURATION}: {' '.join(str(error).split())}") from None
    if (target := str(data.get("_target_"))) not in DATASETS:
        raise InputError(f"data of {target[:80]} is not read here: only seqlab's own datasets, and no hub")
    for target in _targets({key: value for key, value in data.settings.items() if key != "_target_"}):
        if str(target) not in PARTS:
            raise InputError(f"its data names {str(target)[:80]}, which is not called here")
    files = {key: _absolute(directory, path) for key in FILES if isinstance(path := data.get(key), str)}
    _check_size(data, [Path(path) for path in files.values()])
    return data.with_settings(**files, cache=cache)


def _targets(node: Any) -> Iterator[Any]:
    """Whatever nested settings name as targets."""
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield node["_target_"]
        for value in node.values():
            yield from _targets(value)
    elif isinstance(node, list):
        for value in node:
            yield from _targets(value)


def _absolute(directory: Path, path: str) -> str:
    return path if path == paths.PHRASEBOOK else str(directory / path)


def _check_size(data: Component, files: Sequence[Path]) -> None:
    samples = data.get("samples")
    if isinstance(samples, int) and samples > MOST_SAMPLES:
        raise InputError(f"{samples:,} examples; this page searches at most {MOST_SAMPLES:,}")
    size = 0
    for file in files:
        for one in file.rglob("*") if file.is_dir() else [file] if file.exists() else paths.matching(file):
            with contextlib.suppress(OSError):
                size += one.stat().st_size
            if size > MOST_BYTES:
                raise InputError(f"{file} is larger than {MOST_BYTES // 10**6} MB, which is too much to search here")
