"""Reads the files that a run has left in its folder, apart from its result."""

from __future__ import annotations

import csv
import io
import re
import shlex
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra_pruning_sweeper.messages import plural
from hydra_pruning_sweeper.text_table import tsv_cells
from seqlab.config.plain import Start, kept_overrides, kept_start
from seqlab.errors import InputError
from seqlab.folders import BUNDLE, BUNDLE_TOKENIZERS, HYDRA, LOGGED_METRICS, PREDICTIONS
from seqlab.kinds import NOTHING, Trust
from seqlab.runs.anonymise import text_without_machine
from seqlab.runs.json_checks import GREATEST, read_file
from seqlab.text import plain_json
from seqlab.text.tokenizers import IntegerTokenizer, Tokenizer, from_json

Tokens = Callable[[str], Sequence[Hashable]]
"""Splits a text into tokens, to count and to compare."""


@dataclass(frozen=True)
class SavedPrediction:
    """A line of `predictions.tsv`. `match` is None for a continued text, because it may go on in many ways."""

    source: str
    prediction: str
    reference: str
    match: bool | None


def read_predictions(folder: Path) -> list[SavedPrediction]:
    """The lines of `predictions.tsv`, in the order of the split; none if there is no such file.

    Raises:
        InputError: the file is not of this format; names the line.
    """
    path = folder / PREDICTIONS
    if not path.exists():
        return []
    try:
        first, *lines = read_file(path).decode("utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 ({error.reason})") from None
    heads = first.split("\t")
    continued = heads[:2] == ["prompt", "continuation"]
    if not continued and (heads[:3] != ["source", "prediction", "reference"] or "match" not in heads):
        raise InputError(f"{path}:1: expected the columns source, prediction, reference, score and match")
    predictions = []
    for number, line in enumerate(lines, 2):
        cells = tsv_cells(line)
        if len(cells) != len(heads):
            raise InputError(f"{path}:{number}: {plural(len(cells), 'column')}; expected {len(heads)}")
        match = None if continued else cells[heads.index("match")] == "true"
        source, prediction, reference, *_ = cells
        predictions.append(SavedPrediction(source, prediction, reference, match))
    return predictions


def read_metrics(folder: Path) -> list[dict[str, float]]:
    """The rows of `metrics.csv`, each without its empty cells; none if there is no such file.

    Raises:
        InputError: a cell is not a number, or a row has no step; names the line.
    """
    path = folder / LOGGED_METRICS
    if not path.exists():
        return []
    text = read_file(path).decode("utf-8", "replace")
    rows: list[dict[str, float]] = []
    try:
        for row in csv.DictReader(io.StringIO(text)):
            rows.append(_numbers(row))
    except (AttributeError, TypeError, ValueError, csv.Error):
        raise InputError(
            f"{path}:{len(rows) + 2}: expected numbers under the names of metrics, step and epoch among them"
        ) from None
    return rows


def _numbers(row: dict[str, str]) -> dict[str, float]:
    numbers = {name: float(value) for name, value in row.items() if value}
    if not (0 <= numbers.get("step", -1) <= GREATEST and 0 <= numbers.get("epoch", 0) <= GREATEST):
        raise ValueError("no step")
    return numbers


def name_and_value(override: str) -> tuple[str, str]:
    """`+model.width=8` as ("model.width", "8"); the value of a removed setting (`~model.width`) is "removed"."""
    name, _, value = override.lstrip("+~").partition("=")
    return name, "removed" if override.startswith("~") else value


def command(folder: Path) -> str:
    """The command line that repeats the run on this machine, in the folder where it was typed.

    Paths below that folder are relative to it.
    """
    start = _start(folder)
    words = [*start.flags, *kept_overrides(folder)]
    if start.directory.is_absolute():
        here = re.compile(rf"(?<=[=,:'\"(\[]){re.escape(f'{start.directory}/'.replace('//', '/'))}(?=[^\s/])")
        words = [here.sub("", word) for word in words]
    return shlex.join(["seqlab-train", *words])


def command_for_others(folder: Path) -> str:
    """The command line that repeats the run, without the folders of the machine that it ran on."""
    return text_without_machine(shlex.join(["seqlab-train", *_start(folder).flags, *kept_overrides(folder)]))


def _start(folder: Path) -> Start:
    """How the run was started; without flags and folder if it has not kept that."""
    path = folder / HYDRA
    if not path.is_file():
        return Start([], Path(), {})
    try:
        return kept_start(folder)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a configuration of Hydra's ({' '.join(str(error).split())})") from None


def read_tokenizers(folder: Path, trust: Trust = NOTHING) -> tuple[Tokenizer, Tokenizer] | None:
    """Source and target tokenizer of the run's bundle; None if there is no bundle, or they cannot be made here."""
    path = folder / BUNDLE / BUNDLE_TOKENIZERS
    if not path.is_file():
        return None
    try:
        source, target = (from_json(entry, trust, folder) for entry in plain_json.read_json(path, list))
    except ValueError:
        return None  # of a package that is not trusted, or of another version: words serve instead
    return source, target


def tokens_by(tokenizer: Tokenizer | None) -> Tokens:
    """Splits texts as the tokenizer does, without fillers; at white space if there is no tokenizer."""
    if tokenizer is None:
        return str.split
    if isinstance(tokenizer, IntegerTokenizer):  # `encode` refuses outputs longer than any array and unknown symbols
        return tokenizer.words
    return tokenizer.encode
