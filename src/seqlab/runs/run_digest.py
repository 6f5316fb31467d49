"""A finished run's folder as one small dict, kept beside the run."""

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
from seqlab.errors import InputError
from seqlab.kinds import NOTHING, Trust
from seqlab.runs import by_length, output_classes, samples
from seqlab.runs.anonymise import resolved, shown, without_machine
from seqlab.runs.comparison import name_and_value
from seqlab.runs.curve import curve
from seqlab.runs.reading import DIGEST, read_file, read_json
from seqlab.runs.run_folder import (
    SavedPrediction,
    command,
    read_metrics,
    read_overrides,
    read_predictions,
    read_result,
    read_tokenizers,
    tokens_by,
)
from seqlab.text.tokenizers import words_and_marks

KEPT = "digest.json"

_FACTS = (
    *("name", "seed", "environment", "data", "examples", "measured", "parameters", "trained_parameters"),
    *("epochs", "steps", "weights", "precision", "seconds", "training", "metrics", "signatures", "leakage"),
    *("identity", "resumed"),
)


def digest(folder: str | Path, trust: Trust = NOTHING) -> dict[str, Any]:
    """What a finished run found, how it went, what it said, and how to run it again; no folder of this machine in it.

    Kept in the run's folder as `digest.json`, so that it is made once; anew where the run, this code or what is trusted
    has changed. A bundle of a package that is not trusted is not loaded: lengths are counted in words, and no attention
    is shown.

    Keys are absent where they make no sense:

    - `folder`, `command`, `overrides`, `settings` (what they refer to in its place), and the facts of `result.json`;
    - `curve`: an entry a validation;
    - `by_length`: `split`, `unit` (what lengths count), and `rows`: see `by_length.by_length`;
    - `failures`: the number of the `rule`, and the `counts` of its classes (see `output_classes.classify`);
    - `test_set`: a hash of the examples that were predicted: equal where two runs can be compared one by one;
    - `references`: "all", or "first" where sources have several references, of which `predictions.tsv` holds the first;
    - `correct`: 1 or 0 an example; `bleu_statistics`: of texts, a row a sentence (see `scores.bleu_statistics`);
    - `samples`: some dozens of examples, the same ones in every run of a test set, with attention where there is some.

    Raises:
        InputError: `folder` is not that of a finished run, or a file in it is broken.
    """
    folder = Path(folder)
    result = read_result(folder)
    of = {
        "by": _code(),
        "trust": sorted(trust.packages),
        "of": hashlib.sha256(read_file(folder / "result.json")).hexdigest()[:16],
    }
    content = _kept(folder, of)
    if content is None:
        content = {**of, **_digest(folder, result, trust)}
        _keep(folder / KEPT, content)
    own = {key: value for key, value in content.items() if key not in of}
    return {"folder": shown(folder), **own}


def digests(folders: Iterable[str | Path]) -> list[dict[str, Any]]:
    """The digest of each folder; where somebody watches with a bar, since a new one takes seconds.

    Raises:
        InputError: as `digest`.
    """
    from tqdm import tqdm

    return [digest(folder) for folder in tqdm(list(folders), desc="digests", unit="run", disable=None, leave=False)]


@functools.cache
def _code() -> str:
    """A hash of the code that makes digests."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


def _kept(folder: Path, of: dict[str, Any]) -> dict[str, Any] | None:
    """The digest that is kept in the run's folder, if it is of this result and by this code."""
    try:
        content = dict(read_json(folder / KEPT, DIGEST))
    except InputError:
        return None
    return content if all(content.get(key) == of[key] for key in of) else None


def _keep(path: Path, content: dict[str, Any]) -> None:
    """Writes a digest, unless something else has its name: a link may lead out of the run's folder."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        return
    with contextlib.suppress(OSError), written_atomically(path) as file:  # a run that may be read but not written to
        file.write(json.dumps(content, ensure_ascii=False).encode("utf-8"))


def _digest(folder: Path, result: dict[str, Any], trust: Trust) -> dict[str, Any]:
    settings = resolved(result.get("settings") or {})
    if "name" in result:
        settings["name"] = result["name"]
    content = {
        **{name: result[name] for name in _FACTS if name in result},
        "command": command(folder),
        "overrides": dict(name_and_value(line) for line in read_overrides(folder)),
        "settings": settings,
        "curve": curve(read_metrics(folder), result),
    }
    content = without_machine(content)
    split = next((split for split in ("test", "val", "train") if split in result["metrics"]), None)
    if split is not None and (said := read_predictions(folder)):
        content |= _predicted(folder, said, split, result["metrics"][split], trust)
    return content


def _predicted(
    folder: Path, said: list[SavedPrediction], split: str, metrics: dict[str, float | None], trust: Trust
) -> dict[str, Any]:
    """What the outputs tell."""
    examples = json.dumps([(one.source, one.reference) for one in said])
    content: dict[str, Any] = {"test_set": hashlib.sha256(examples.encode()).hexdigest()[:16]}
    if any(one.match is None for one in said):
        return content | {"samples": samples.continued(said)}
    tokenizers = read_tokenizers(folder, trust)
    source, target = tokenizers or (None, None)
    counts = [len(tokens_by(source)(one.source)) for one in said]
    statistics = None
    if (measured := metrics.get("free_running/token_bleu")) is not None:
        from seqlab.runs.scores import bleu_of, bleu_statistics

        statistics = bleu_statistics(said)
        # What the run logged is in single precision; with more references it is another figure altogether.
        alike = math.isclose(bleu_of(statistics.sum(0)), measured, abs_tol=1e-4)
        content |= {"references": "all" if alike else "first", "bleu_statistics": statistics.tolist()}
    rows = by_length.by_length(said, counts, tokens_by(target), statistics, bool(target and target.lower))
    content["by_length"] = {"split": split, "unit": "tokens" if tokenizers else "words", "rows": rows}
    content["correct"] = [int(bool(one.match)) for one in said]
    words = tokens_by(target) if statistics is None else words_and_marks
    classes = output_classes.classes(said, words, exact=statistics is None)
    content["failures"] = {"rule": output_classes.RULE, "counts": output_classes.counts(classes)}
    return content | {"samples": _samples(folder, said, counts, classes, trust)}


def _samples(
    folder: Path, said: Sequence[SavedPrediction], counts: Sequence[int], classes: Sequence[str], trust: Trust
) -> list[dict[str, Any]]:
    rows = samples.chosen(said)
    looks = samples.attention(folder, [said[row].source for row in rows], trust) or [{} for _ in rows]
    return [
        {
            "row": row,
            "source": said[row].source,
            "prediction": said[row].prediction,
            "reference": said[row].reference,
            "match": bool(said[row].match),
            "class": classes[row],
            "length": counts[row],
            **look,
        }
        for row, look in zip(rows, looks, strict=True)
    ]
