"""Predicting for lines of text: a file, a folder of files, or standard input."""

from __future__ import annotations

import json
import math
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from seqlab.errors import InputError
from seqlab.files import write_atomically
from seqlab.text.lines import decode_lines, read_bytes
from seqlab.text.tokenizers import matches_one
from seqlab.training import bundle
from seqlab.training.parts import search_again
from seqlab.training.results import escaped

FORMATS = ("tsv", "jsonl")


@dataclass(frozen=True)
class Line:
    """One input: where it stands, the source, and the target if one is given."""

    where: str
    source: str
    target: str | None


def predict(config: DictConfig) -> None:
    """Writes a line for each line of `config.input`, in its order: input, prediction, score and, of inputs with a
    target, whether the prediction matches it. Where the search gives several outputs, TSV has a line and a rank for
    each of them, JSONL a list. Everything is read and checked before anything is written.

    Raises:
        InputError: no model there, or an input that cannot be read or expressed; names the file and the line.
    """
    if config.format not in FORMATS:
        raise InputError(f"format must be one of {', '.join(FORMATS)}, but is {config.format!r}")
    if not isinstance(config.batch_size, int) or config.batch_size < 1:
        raise InputError(f"batch_size must be an integer of at least 1, but is {config.batch_size!r}")
    predictor = bundle.load(config.run)
    predictor.search = search_again(config, predictor.search, predictor.search.max_length)
    lines = list(read_lines(str(config.input), prompts=predictor.stream is not None))
    sources = [_encoded(line, predictor) for line in lines]
    outputs = predictor.generate(sources, config.batch_size, [line.source for line in lines])
    form = _json if config.format == "jsonl" else _table
    text = "".join(f"{form(line, own, predictor)}\n" for line, own in zip(lines, outputs, strict=True))
    if config.output == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        write_atomically(Path(config.output), text)
        print(f"{len(lines)} predictions written to {config.output}", file=sys.stderr)


def read_lines(location: str, prompts: bool = False) -> Iterator[Line]:
    """The lines of a file, of every file of a folder (by name, hidden ones left out), or of standard input ("-").

    Args:
        prompts: a line is a text to go on from, as it stands, and has no columns.

    Raises:
        InputError: nothing to read there, a file that is empty, binary or not UTF-8, or a line that is empty.
    """
    if location == "-":
        yield from _parsed(sys.stdin.buffer.read(), "standard input", prompts)
        return
    path = Path(location)
    files = [path]
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file() and not _hidden(p.relative_to(path)))
        if not files:
            raise InputError(f"{path}: no files in this folder; expected lines of source[<TAB>target]")
    for file in files:
        yield from _parsed(read_bytes(file), str(file), prompts)


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _parsed(data: bytes, name: str, prompts: bool) -> Iterator[Line]:
    for number, line in enumerate(decode_lines(data, name), 1):
        where, text = f"{name}:{number}", unicodedata.normalize("NFC", line)
        if prompts:
            if not text:
                raise InputError(f"{where}: the line is empty; expected a text to go on from")
            yield Line(where, text, None)
            continue
        columns = [column.strip() for column in text.split("\t")]
        if not columns[0]:
            raise InputError(f"{where}: the line has no source; expected source[<TAB>target]")
        if len(columns) > 3:
            raise InputError(f"{where}: {len(columns)} columns; expected source[<TAB>target[<TAB>attribution]]")
        yield Line(where, columns[0], columns[1] if len(columns) > 1 and columns[1] else None)


def _encoded(line: Line, predictor: bundle.Predictor) -> list[int]:
    try:
        ids = predictor.encode(line.source)
        if predictor.stream is None:
            predictor.model.check_lengths(len(ids), predictor.search.max_length)
        if line.target is not None:
            predictor.target_tokenizer.encode(line.target)
    except ValueError as error:
        raise InputError(f"{line.where}: {error}") from None
    return ids


def _json(line: Line, outputs: list[bundle.Output], predictor: bundle.Predictor) -> str:
    fields = []
    for output in outputs:
        score = output.score if math.isfinite(output.score) else None  # JSON has no −∞
        match = _match(line, output, predictor)
        own = {"prediction": output.text, "score": score}
        fields.append(own if match is None else {**own, "match": match})
    n_best = {"n_best": fields} if len(fields) > 1 else {}
    return json.dumps({"input": line.source, **fields[0], **n_best}, ensure_ascii=False)


def _table(line: Line, outputs: list[bundle.Output], predictor: bundle.Predictor) -> str:
    rows = []
    for rank, output in enumerate(outputs, 1):
        columns = [escaped(line.source), escaped(output.text), f"{output.score:.4f}"]
        if len(outputs) > 1:
            columns.append(str(rank))
        match = _match(line, output, predictor)
        rows.append("\t".join(columns if match is None else [*columns, str(match).lower()]))
    return "\n".join(rows)


def _match(line: Line, output: bundle.Output, predictor: bundle.Predictor) -> bool | None:
    return None if line.target is None else matches_one(predictor.target_tokenizer, output.text, [line.target])
