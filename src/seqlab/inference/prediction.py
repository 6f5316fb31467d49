"""Predictions for lines of text from a file, a folder of files, or standard input."""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.messages import plural, printable, wrapped
from hydra_pruning_sweeper.text_table import tsv_line
from seqlab.config.search_settings import search_again
from seqlab.config.settings import PredictSettings
from seqlab.errors import InputError
from seqlab.inference.bundle import load
from seqlab.inference.predictor import Output, Predictor
from seqlab.text.forms import formed
from seqlab.text.lines import decode_lines, read_text_lines, standard_input
from seqlab.text.tokenizers import matches_one
from seqlab.text.tokenizers.tokenizer import UNKNOWN

log = logging.getLogger(__name__)

NAMED = 5
"""How many unknown symbols of a line a warning names."""


@dataclass(frozen=True)
class Line:
    """One input: file and line number, the source ("" for a blank line), and the target if there is one.

    `unknown` are the symbols of the source that the model does not know.
    """

    where: str
    source: str
    target: str | None
    unknown: tuple[str, ...] = ()


def predict(settings: PredictSettings) -> None:
    """Writes a line for each line of the input, in its order: input, prediction, score and, for inputs with a
    target, whether the prediction matches it. A line with symbols that the model does not know ends with their names.

    If the search gives several outputs, TSV has a line and a rank for each of them, JSONL a list. Everything is read
    and checked before anything is written.

    Raises:
        InputError: no model there, or an input cannot be read or encoded; the message names the file and the line.
    """
    predictor = load(settings.run, settings.trust)
    predictor.search = search_again(settings.decoding, predictor.search, predictor.search.max_length)
    whole = predictor.stream is not None or not settings.targets
    lines = list(read_lines(settings.input, whole, settings.blank == "keep"))
    _warn_of_few_targets(lines)
    lines, sources = map(list, zip(*[_encoded(line, predictor) for line in lines], strict=True))
    _warn_of_unknown(lines)
    outputs = predictor.generate(sources, settings.batch_size, [line.source for line in lines])
    form = _json if settings.format == "jsonl" else _tsv
    ranked = any(len(n_best) > 1 for n_best in outputs)
    text = "".join(f"{form(line, n_best, predictor, ranked)}\n" for line, n_best in zip(lines, outputs, strict=True))
    if settings.output == "-":
        # A bundle's vocabulary may contain control characters; the tabs between columns are kept.
        safe = "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))
        sys.stdout.write(safe if sys.stdout.isatty() else text)
        sys.stdout.flush()
    else:
        write_atomically(Path(settings.output), text)
        print(wrapped(f"{plural(len(lines), 'prediction')} written to {settings.output}"), file=sys.stderr)


def read_lines(location: str, whole: bool = False, blank: bool = True) -> Iterator[Line]:
    """The lines of a file, of every file of a folder (by name, hidden ones left out), or of standard input ("-").

    Files may be gzip-compressed.

    Args:
        whole: a line has no columns: all of it is a source, or a prompt.
        blank: whether a line may be blank; its source is then empty.

    Raises:
        InputError: there is nothing to read, a file is empty, binary or not UTF-8, or a line has no source.
    """
    if location == "-":
        data = standard_input()
        yield from _parsed(decode_lines(data, "standard input", blank=True), "standard input", whole, blank)
        return
    path = Path(location)
    files = [path]
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file() and not _hidden(p.relative_to(path)))
        if not files:
            raise InputError(f"{path}: no files in this folder; expected lines of source[<TAB>target]")
    for file in files:
        yield from _parsed(read_text_lines(file, blank=True), str(file), whole, blank)


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _parsed(lines: Sequence[str], name: str, whole: bool, blank: bool) -> Iterator[Line]:
    for number, line in enumerate(lines, 1):
        where = f"{name}:{number}"
        columns = [line] if whole else [column.strip() for column in line.split("\t")]
        if not line.strip():
            if not blank:
                raise InputError(f"{where}: the line is blank; blank=keep gives it an empty output")
            columns = [""]
        elif not columns[0]:
            raise InputError(f"{where}: the line has no source; expected source[<TAB>target]")
        if len(columns) > 3:
            raise InputError(f"{where}: {len(columns)} columns; expected source[<TAB>target[<TAB>attribution]]")
        yield Line(where, columns[0], columns[1] if len(columns) > 1 and columns[1] else None)


def _warn_of_few_targets(lines: Sequence[Line]) -> None:
    """Warns if only some lines have a target: a stray tab in a source would silently cut it off."""
    with_target = [line for line in lines if line.target is not None]
    if with_target and len(with_target) < sum(bool(line.source) for line in lines):
        log.warning(
            "%s a tab (first: %s): the text after it is read as the target; targets=false reads the whole line as the"
            " source",
            *(_of(with_target, lines), with_target[0].where),
        )


def _warn_of_unknown(lines: Sequence[Line]) -> None:
    """Warns if the model does not know some symbols: it reads all of them as one and the same."""
    unknown = [line for line in lines if line.unknown]
    if unknown:
        first = unknown[0]
        more = ", …" if len(first.unknown) > NAMED else ""
        named = ", ".join(map(repr, first.unknown[:NAMED])) + more
        log.warning(
            "%s symbols that the model does not know, and that it reads as %s (first: %s: %s)",
            *(_of(unknown, lines), UNKNOWN, first.where, named),
        )


def _of(some: Sequence[Line], lines: Sequence[Line]) -> str:
    """The beginning of a sentence: "1 of 2 lines has", "2 of 3 lines have"."""
    return f"{len(some)} of {plural(len(lines), 'line')} {'has' if len(some) == 1 else 'have'}"


def _encoded(line: Line, predictor: Predictor) -> tuple[Line, list[int]]:
    """The line, with what the model does not know in it, and the ids of its source."""
    if not line.source:
        return line, []  # gets an empty output
    try:
        ids, unknown = predictor.encode_leniently(line.source)
        if predictor.stream is None:
            predictor.model.check_lengths(len(ids), predictor.search.max_length)
        if line.target is not None:
            predictor.target_tokenizer.read_leniently(line.target)
    except ValueError as error:
        raise InputError(f"{line.where}: {error}") from None
    return replace(line, unknown=tuple(unknown)), ids


def _json(line: Line, outputs: list[Output], predictor: Predictor, ranked: bool) -> str:
    fields = []
    for output in outputs:
        score = output.score if math.isfinite(output.score) else None  # JSON has no −∞
        match = _match(line, output, predictor)
        entry = {"prediction": output.text, "score": score}
        fields.append(entry if match is None else {**entry, "match": match})
    more: dict[str, Any] = {"n_best": fields} if ranked else {}
    more |= {"unknown": line.unknown} if line.unknown else {}
    return json.dumps({"input": line.source, **fields[0], **more}, ensure_ascii=False)


def _tsv(line: Line, outputs: list[Output], predictor: Predictor, ranked: bool) -> str:
    rows = []
    for rank, output in enumerate(outputs, 1):
        cells = [line.source, output.text, f"{output.score:z.4f}", *([str(rank)] if ranked else [])]
        if (match := _match(line, output, predictor)) is not None:
            cells.append(str(match).lower())
        if line.unknown:
            cells.append(f"unknown: {' '.join(line.unknown)}")
        rows.append(tsv_line(cells))
    return "\n".join(rows)


def _match(line: Line, output: Output, predictor: Predictor) -> bool | None:
    if line.target is None:
        return None
    tokenizer = predictor.target_tokenizer
    return matches_one(tokenizer, output.text, [formed(line.target, tokenizer.form)])
