"""A prediction as it is written: with tabs between columns, as JSON, or as the output alone."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hydra_pruning_sweeper.text_table import tsv_line
from seqlab.errors import InputError
from seqlab.inference.predictor import Output, Predictor
from seqlab.text.forms import formed
from seqlab.text.tokenizers import matches_one


@dataclass(frozen=True)
class Line:
    """One input: file and line number, the source ("" for a blank line), and the target if there is one.

    Args:
        file: the name of the file below a folder; None if the input is no folder.
        unknown: the symbols of the source that the model does not know.
    """

    where: str
    source: str
    target: str | None
    file: str | None = None
    unknown: tuple[str, ...] = ()


PredictionFormat = Callable[[Line, list[Output]], str]
"""From a line and its outputs, best first, to what is written for them, without the last line end."""


def prediction_format(name: str, predictor: Predictor) -> PredictionFormat:
    """The format of a name: tsv, jsonl or text.

    Raises:
        InputError: it has one output per line, but the search gives several.
    """
    n_best = getattr(predictor.search, "n_best", 1)
    ranked = n_best > 1
    if name == "text":
        if ranked:
            raise InputError(
                f"decoding.n_best={n_best}: format=text writes one output per line; type"
                " decoding.n_best=1, or take format=tsv or jsonl"
            )
        return _text
    if name == "jsonl":
        return lambda line, outputs: _json(line, outputs, predictor, ranked)
    return lambda line, outputs: _tsv(line, outputs, predictor, ranked)


def _text(line: Line, outputs: list[Output]) -> str:
    """The best output; line ends within it become blanks, so that line n is the output of line n."""
    return re.sub(r"[\r\n]+", " ", outputs[0].text)


def _json(line: Line, outputs: list[Output], predictor: Predictor, ranked: bool) -> str:
    fields = []
    for output in outputs:
        score = output.score if math.isfinite(output.score) else None  # JSON has no −∞
        match = _match(line, output, predictor)
        entry = {"prediction": output.text, "score": score}
        fields.append(entry if match is None else {**entry, "match": match})
    before = {} if line.file is None else {"file": line.file}
    more: dict[str, Any] = {"n_best": fields} if ranked else {}
    more |= {"unknown": line.unknown} if line.unknown else {}
    return json.dumps({**before, "input": line.source, **fields[0], **more}, ensure_ascii=False)


def _tsv(line: Line, outputs: list[Output], predictor: Predictor, ranked: bool) -> str:
    rows = []
    for rank, output in enumerate(outputs, 1):
        cells = [] if line.file is None else [line.file]
        cells += [line.source, output.text, f"{output.score:z.4f}", *([str(rank)] if ranked else [])]
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
