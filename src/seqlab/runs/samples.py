"""Sample outputs of a run with their attention; every run of a test set shows the same examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from seqlab.kinds import NOTHING, Trust
from seqlab.runs.run_folder import SavedPrediction

Item = TypeVar("Item")

SAMPLES = 30
"""The largest number of samples."""

CONTINUED = 400
"""How many characters a sample keeps of the end of a prompt and of the beginnings of its continuations."""

LONGEST = 1000
"""The largest number of output tokens whose attention is shown."""


def evenly_spaced(items: Sequence[Item], count: int) -> list[Item]:
    """At most `count` of the items, at even distances, with the first and the last; of one, the middle."""
    if len(items) <= count:
        return list(items)
    if count == 1:
        return [items[len(items) // 2]]
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)]


def chosen(predictions: Sequence[SavedPrediction]) -> list[int]:
    """Rows at even distances among the examples, ordered by the lengths of their sources in words.

    The choice depends on neither outputs nor a tokenizer, so that it is the same for all models.
    """
    return evenly_spaced(
        sorted(range(len(predictions)), key=lambda i: (len(predictions[i].source.split()), i)), SAMPLES
    )


def continued(predictions: Sequence[SavedPrediction]) -> list[dict[str, Any]]:
    """Samples of a language model: prompts, how the model continues them, and how the text does."""
    return [
        {
            "source": one.source[-CONTINUED:],
            "prediction": one.prediction[:CONTINUED],
            "reference": one.reference[:CONTINUED],
            "continued": True,
        }
        for one in predictions[:SAMPLES]
    ]


def attention(folder: Path, sources: Sequence[str], trust: Trust = NOTHING) -> list[dict[str, Any]]:
    """For each source, the tokens that the run's bundle outputs now, and the attention of its decoder to the source.

    `attention` maps the name of a module to a matrix (output tokens, source tokens), averaged over heads; the heads of
    the last module are there one by one as well. The rows of a decoder-only model add up to less than 1, because it
    attends to its own outputs too. `source_tokens` and `output_tokens` are texts.

    Returns:
        One entry per source; none if the model has no attention or cannot be loaded here.
    """
    from seqlab.inference.bundle import load

    try:
        predictor = load(folder, trust)
        search = predictor.search
        predictor.search = replace(search, max_length=min(search.max_length, LONGEST))  # a page shows no more
        looks = predictor.attentions(sources)
    except ValueError:
        return []  # an earlier format, or a package that is not trusted: samples are shown without attention
    if not looks[0].maps:
        return []
    return [
        {"source_tokens": look.source_tokens, "output_tokens": look.output_tokens, "attention": _named(look.maps)}
        for look in looks
    ]


def _named(maps: Mapping[str, Any]) -> dict[str, list[list[float]]]:
    """Rounded matrices by name: of each map (H, T, S) the mean over heads, of the last one also each head."""
    named = {name: weights.mean(0) for name, weights in maps.items()}
    *_, last = maps
    if len(maps[last]) > 1:
        named |= {f"{last} head {i}": head for i, head in enumerate(maps[last], 1)}
    return {name: [[round(value, 3) for value in row] for row in weights.tolist()] for name, weights in named.items()}
