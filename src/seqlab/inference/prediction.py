"""Predictions for lines of text from a file, a folder of files, or standard input."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.messages import plural, printable, wrapped
from seqlab.config.bundle_settings import PredictSettings
from seqlab.config.search_settings import search_again
from seqlab.errors import InputError
from seqlab.inference.bundle import load
from seqlab.inference.prediction_formats import Line, PredictionFormat, prediction_format
from seqlab.inference.predictor import Predictor
from seqlab.text.lines import arriving_lines, decode_lines, read_text_lines, standard_input
from seqlab.text.tokenizers.tokenizer import UNKNOWN

log = logging.getLogger(__name__)

NAMED = 5
"""How many unknown symbols of a line a warning names."""


def predict(settings: PredictSettings) -> None:
    """Writes each line of the input with its prediction, in the order of the input; the formats say what is written.

    Everything is read and checked before anything is written; as a stream, each line is answered when it has arrived.

    Raises:
        InputError: no model there, or an input cannot be read or encoded; the message names the file and the line.
    """
    predictor = load(settings.run, settings.trust)
    predictor.search = search_again(settings.decoding, predictor.search, predictor.search.max_length)
    write = prediction_format(settings.format, predictor)
    whole = predictor.stream is not None or not settings.targets
    lines = read_lines(settings.input, whole, settings.blank == "keep", settings.stream)
    if settings.stream:
        _answer_each(lines, predictor, write)
        return
    read = [_encoded(line, predictor) for line in lines]
    _warn_of_few_targets([line for line, _ in read])
    _warn_of_unknown([line for line, _ in read])
    sources = [line.source for line, _ in read]
    outputs = predictor.generate([ids for _, ids in read], settings.batch_size, sources)
    text = "".join(f"{write(line, n_best)}\n" for (line, _), n_best in zip(read, outputs, strict=True))
    if settings.output == "-":
        _show(text)
    else:
        write_atomically(Path(settings.output), text)
        print(wrapped(f"{plural(len(read), 'prediction')} written to {settings.output}"), file=sys.stderr)


def _answer_each(lines: Iterable[Line], predictor: Predictor, write: PredictionFormat) -> None:
    """Answers lines one by one, each before the next is waited for."""
    warnings = _StreamWarnings()
    for line in lines:
        encoded, ids = _encoded(line, predictor)
        warnings.see(encoded)
        _show(f"{write(encoded, predictor.generate([ids], 1, [line.source])[0])}\n")


def _show(text: str) -> None:
    """Writes lines to standard output at once."""
    if sys.stdout.isatty():
        # A bundle's vocabulary may contain control characters; the tabs between columns are kept.
        text = "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))
    sys.stdout.write(text)
    sys.stdout.flush()


def read_lines(location: str, whole: bool = False, blank: bool = True, as_they_arrive: bool = False) -> Iterator[Line]:
    """The lines of a file, of every file of a folder (by name, hidden ones left out), or of standard input ("-").

    Files may be gzip-compressed.

    Args:
        whole: a line has no columns: all of it is a source, or a prompt.
        blank: whether a line may be blank; its source is then empty.
        as_they_arrive: lines of standard input are not waited for until all are there.

    Raises:
        InputError: there is nothing to read, a file is empty, binary or not UTF-8, or a line has no source.
    """
    if location == "-":
        name = "standard input"
        lines: Iterable[str] = (
            arriving_lines(name) if as_they_arrive else decode_lines(standard_input(), name, blank=True)
        )
        yield from _parsed(lines, name, whole, blank)
        return
    path = Path(location)
    files = [path]
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file() and not _hidden(p.relative_to(path)))
        if not files:
            raise InputError(f"{path}: no files in this folder; expected lines of source[<TAB>target]")
    for file in files:
        below = file.relative_to(path).as_posix() if path.is_dir() else None
        yield from _parsed(read_text_lines(file, blank=True), str(file), whole, blank, below)


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _parsed(lines: Iterable[str], name: str, whole: bool, blank: bool, file: str | None = None) -> Iterator[Line]:
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
        yield Line(where, columns[0], columns[1] if len(columns) > 1 and columns[1] else None, file)


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
        log.warning(
            "%s symbols that the model does not know, and that it reads as %s (first: %s: %s)",
            *(_of(unknown, lines), UNKNOWN, unknown[0].where, _named(unknown[0])),
        )


def _named(line: Line) -> str:
    """The first unknown symbols of a line."""
    return ", ".join(map(repr, line.unknown[:NAMED])) + (", …" if len(line.unknown) > NAMED else "")


def _of(some: Sequence[Line], lines: Sequence[Line]) -> str:
    """The beginning of a sentence: "1 of 2 lines has", "2 of 3 lines have"."""
    return f"{len(some)} of {plural(len(lines), 'line')} {'has' if len(some) == 1 else 'have'}"


class _StreamWarnings:
    """Warns of a stream's first line with unknown symbols, and of its first with a target where lines before it have
    none, or the other way round.
    """

    def __init__(self) -> None:
        self._unknown, self._mixed = False, False
        self._with_target: bool | None = None

    def see(self, line: Line) -> None:
        """Looks at the next line of the stream."""
        if line.unknown and not self._unknown:
            self._unknown = True
            log.warning(
                "%s: symbols that the model does not know, and that it reads as %s: %s; further such lines are"
                " not named",
                *(line.where, UNKNOWN, _named(line)),
            )
        if not line.source or self._mixed:
            return
        has_target = line.target is not None
        if self._with_target is not None and has_target != self._with_target:
            self._mixed = True
            log.warning(
                "%s: lines with and without a tab: the text after it is read as the target; targets=false reads the"
                " whole line as the source",
                line.where,
            )
        self._with_target = has_target


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
