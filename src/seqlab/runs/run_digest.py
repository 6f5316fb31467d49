"""A finished run's folder summed up as one small mapping, which is cached in the folder."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hydra_pruning_sweeper.atomic_files import written_atomically
from seqlab.config.plain import kept_overrides
from seqlab.errors import InputError
from seqlab.folders import DIGEST_FILE, RESULT
from seqlab.kinds import NOTHING, Trust
from seqlab.metrics.registry import TOKEN_BLEU
from seqlab.runs import by_length, output_classes, samples
from seqlab.runs.anonymise import resolved, shown, without_machine
from seqlab.runs.curve import curve
from seqlab.runs.json_checks import read_file, read_json
from seqlab.runs.result import RunResult
from seqlab.runs.run_folder import (
    SavedPrediction,
    command_for_others,
    name_and_value,
    read_metrics,
    read_predictions,
    read_tokenizers,
    tokens_by,
)
from seqlab.runs.schemas import DIGEST
from seqlab.text.tokenizers import words_and_marks

FACTS = (
    *("name", "seed", "environment", "data", "examples", "measured", "parameters", "trained_parameters"),
    *("epochs", "steps", "weights", "precision", "seconds", "training", "metrics", "signatures", "generation"),
    *("leakage", "identity", "resumed"),
)
"""What a digest takes over from the run's result."""


def digest(folder: str | Path, trust: Trust = NOTHING) -> dict[str, Any]:
    """The result of a finished run, its learning curve, its outputs and the line to run it again.

    It names no folder of this machine. It is cached in the run's folder as `digest.json`, and made again if the result,
    the code of this package or `trust` has changed. The bundle is not loaded if it needs a package that is not trusted:
    then lengths are counted in words, and no attention is shown.

    A key is absent if it does not apply to the run:

    - `folder`, `command`, `overrides`, `settings` (references among them resolved), and the `FACTS` of `result.json`;
    - `curve`: one entry per validation;
    - `by_length`: `split`, `unit` (in what lengths are counted), and `rows`: see `by_length.by_length`;
    - `failures`: the number of the `rule`, and the `counts` of its classes (see `output_classes.classify`);
    - `test_set`: a hash of the predicted examples; runs in which it is equal can be compared example by example;
    - `references`: "all", or "first" if sources have several references, of which `predictions.tsv` holds the first;
    - `lengths`: the length of each example's source, in the `unit` of `by_length`;
    - `correct`: 1 or 0 per example;
    - `bleu_statistics`: for texts, one row per sentence (see `scores.bleu_statistics`);
    - `samples`: about thirty examples, the same ones in every run of a test set, with attention if the model has any.

    Raises:
        InputError: `folder` is not that of a finished run, or a file in it is broken.
    """
    folder = Path(folder)
    result = RunResult.read(folder)
    made_from = {
        "by": _code(),
        "trust": sorted(trust.packages),
        "of": hashlib.sha256(read_file(folder / RESULT)).hexdigest()[:16],
    }
    content = _cached(folder, made_from)
    if content is None:
        content = {**made_from, **_digest(folder, result, trust)}
        _cache(folder / DIGEST_FILE, content)
    return {"folder": shown(folder), **{key: value for key, value in content.items() if key not in made_from}}


def digests(folders: Iterable[str | Path]) -> list[dict[str, Any]]:
    """The digest of each folder, with a progress bar on a terminal, because a new digest takes seconds.

    Raises:
        InputError: see `digest`.
    """
    from tqdm import tqdm

    return [digest(folder) for folder in tqdm(list(folders), desc="digests", unit="run", disable=None, leave=False)]


@functools.cache
def _code() -> str:
    """A hash of the code that makes digests, and of what reads the attention in them."""
    room = Path(__file__).parent
    files = [*sorted(room.glob("*.py")), room.parent / "inference" / "attention_maps.py"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


def _cached(folder: Path, made_from: dict[str, Any]) -> dict[str, Any] | None:
    """The cached digest, if it was made from this result and by this code."""
    try:
        content = dict(read_json(folder / DIGEST_FILE, DIGEST))
    except InputError:
        return None
    return content if all(content.get(key) == value for key, value in made_from.items()) else None


def _cache(path: Path, content: dict[str, Any]) -> None:
    """Writes a digest, unless the path is a link (it may lead out of the run's folder) or not a file."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        return
    with contextlib.suppress(OSError), written_atomically(path) as file:  # the run may be read-only
        file.write(json.dumps(content, ensure_ascii=False).encode("utf-8"))


def _digest(folder: Path, result: RunResult, trust: Trust) -> dict[str, Any]:
    facts = result.as_json()
    content = {
        **{name: facts[name] for name in FACTS if name in facts},
        "command": command_for_others(folder),
        "overrides": dict(name_and_value(line) for line in kept_overrides(folder)),
        "settings": resolved(result.settings) | {"name": result.name},
        "curve": curve(read_metrics(folder), result),
    }
    content = without_machine(content)
    split = result.main_split
    if split and (predictions := read_predictions(folder)):
        content |= _of_predictions(folder, predictions, split, result.metric(split, TOKEN_BLEU), trust)
    return content


def _of_predictions(
    folder: Path, predictions: list[SavedPrediction], split: str, token_bleu: float | None, trust: Trust
) -> dict[str, Any]:
    """The part of a digest that is computed from the outputs."""
    examples = json.dumps([(one.source, one.reference) for one in predictions])
    content: dict[str, Any] = {"test_set": hashlib.sha256(examples.encode()).hexdigest()[:16]}
    if any(one.match is None for one in predictions):
        return content | {"samples": samples.continued(predictions)}
    tokenizers = read_tokenizers(folder, trust)
    source, target = tokenizers or (None, None)
    lengths = [len(tokens_by(source)(one.source)) for one in predictions]
    statistics = None
    if token_bleu is not None:
        from seqlab.runs.scores import are_short, bleu_of, bleu_statistics

        statistics = bleu_statistics(predictions)
        # The run logged in single precision. If it used several references, the figures are far apart.
        bleu = bleu_of(statistics.sum(0), are_short(statistics))
        alike = math.isclose(bleu, token_bleu, abs_tol=1e-4)
        content |= {"references": "all" if alike else "first", "bleu_statistics": statistics.tolist()}
    rows = by_length.by_length(predictions, lengths, tokens_by(target), statistics, bool(target and target.lower))
    content["by_length"] = {"split": split, "unit": "tokens" if tokenizers else "words", "rows": rows}
    content["lengths"] = lengths
    content["correct"] = [int(bool(one.match)) for one in predictions]
    words = tokens_by(target) if statistics is None else words_and_marks
    classes = output_classes.classes(predictions, words, exact=statistics is None)
    content["failures"] = {"rule": output_classes.RULE, "counts": output_classes.counts(classes)}
    return content | {"samples": _samples(folder, predictions, lengths, classes, trust)}


def _samples(
    folder: Path, predictions: Sequence[SavedPrediction], lengths: Sequence[int], classes: Sequence[str], trust: Trust
) -> list[dict[str, Any]]:
    rows = samples.chosen(predictions)
    attention = samples.attention(folder, [predictions[row].source for row in rows], trust) or [{} for _ in rows]
    return [
        {
            "row": row,
            "source": predictions[row].source,
            "prediction": predictions[row].prediction,
            "reference": predictions[row].reference,
            "match": bool(predictions[row].match),
            "class": classes[row],
            "length": lengths[row],
            **maps,
        }
        for row, maps in zip(rows, attention, strict=True)
    ]
