"""Predictions for lines of text from a file, a folder of files, or standard input."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra_pruning_sweeper.atomic_files import write_atomically
from hydra_pruning_sweeper.messages import printable, wrapped
from hydra_pruning_sweeper.text_table import tsv_line
from seqlab.config.search_settings import search_again
from seqlab.config.settings import PredictSettings
from seqlab.errors import InputError
from seqlab.inference.bundle import load
from seqlab.inference.predictor import Output, Predictor
from seqlab.special_tokens import UNK
from seqlab.text.forms import formed
from seqlab.text.lines import decode_lines, read_text_lines, standard_input
from seqlab.text.tokenizers import matches_one


@dataclass(frozen=True)
class Line:
    """One input: file and line number, the source ("" for a blank line), and the target if there is one."""

    where: str
    source: str
    target: str | None


def predict(settings: PredictSettings) -> None:
    """Writes a line for each line of the input, in its order: input, prediction, score and, for inputs with a
    target, whether the prediction matches it.

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
    sources = [_encoded(line, predictor) for line in lines]
    _warn_of_unknown(lines, sources)
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
        print(wrapped(f"{len(lines)} predictions written to {settings.output}"), file=sys.stderr)


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
        print(
            f"warning: {len(with_target)} of {len(lines)} lines have a tab (first: {with_target[0].where}): the text"
            " after it is read as the target; targets=false reads the whole line as the source",
            file=sys.stderr,
        )


def _warn_of_unknown(lines: Sequence[Line], sources: Sequence[Sequence[int]]) -> None:
    """Warns if the model does not know something in the lines: it reads all of that as one and the same symbol."""
    unknown = [line for line, ids in zip(lines, sources, strict=True) if UNK in ids]
    if unknown:
        print(
            f"warning: {len(unknown)} of {len(lines)} lines have something that is not in the model's vocabulary"
            f" (first: {unknown[0].where})",
            file=sys.stderr,
        )


def _encoded(line: Line, predictor: Predictor) -> list[int]:
    if not line.source:
        return []  # gets an empty output
    try:
        ids = predictor.encode(line.source)
        if predictor.stream is None:
            predictor.model.check_lengths(len(ids), predictor.search.max_length)
        if line.target is not None:
            predictor.target_tokenizer.read(line.target)
    except ValueError as error:
        raise InputError(f"{line.where}: {error}") from None
    return ids


def _json(line: Line, outputs: list[Output], predictor: Predictor, ranked: bool) -> str:
    fields = []
    for output in outputs:
        score = output.score if math.isfinite(output.score) else None  # JSON has no −∞
        match = _match(line, output, predictor)
        entry = {"prediction": output.text, "score": score}
        fields.append(entry if match is None else {**entry, "match": match})
    n_best = {"n_best": fields} if ranked else {}
    return json.dumps({"input": line.source, **fields[0], **n_best}, ensure_ascii=False)


def _tsv(line: Line, outputs: list[Output], predictor: Predictor, ranked: bool) -> str:
    rows = []
    for rank, output in enumerate(outputs, 1):
        cells = [line.source, output.text, f"{output.score:.4f}", *([str(rank)] if ranked else [])]
        match = _match(line, output, predictor)
        rows.append(tsv_line(cells if match is None else [*cells, str(match).lower()]))
    return "\n".join(rows)


def _match(line: Line, output: Output, predictor: Predictor) -> bool | None:
    if line.target is None:
        return None
    tokenizer = predictor.target_tokenizer
    return matches_one(tokenizer, output.text, [formed(line.target, tokenizer.form)])
