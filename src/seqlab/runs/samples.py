"""Some outputs of a run to look at, with where its attention looked: the same examples for every run of a test set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from seqlab.kinds import NOTHING, Trust
from seqlab.runs.run_folder import SavedPrediction

SAMPLES = 30
"""Examples that are shown, at most."""

CONTINUED = 400
"""Characters of a continued text that a sample keeps: the end of its prompt, the beginnings of what follows."""

LONGEST = 1000
"""Tokens of an output whose attention is shown."""


def chosen(said: Sequence[SavedPrediction]) -> list[int]:
    """Rows that are spread evenly over the examples in the order of their sources' lengths in words.

    Neither outputs nor a tokenizer has a say in it, so that runs of other models choose the same.
    """
    order = sorted(range(len(said)), key=lambda i: (len(said[i].source.split()), i))
    if len(order) <= SAMPLES:
        return order
    return [order[round(i * (len(order) - 1) / (SAMPLES - 1))] for i in range(SAMPLES)]


def continued(said: Sequence[SavedPrediction]) -> list[dict[str, Any]]:
    """Samples of a language model: how it goes on from a prompt, and how the text does."""
    return [
        {
            "source": one.source[-CONTINUED:],
            "prediction": one.prediction[:CONTINUED],
            "reference": one.reference[:CONTINUED],
            "continued": True,
        }
        for one in said[:SAMPLES]
    ]


def attention(folder: Path, sources: Sequence[str], trust: Trust = NOTHING) -> list[dict[str, Any]]:
    """For each source what the run's bundle says now, token by token, and where its decoder looked in the source.

    `source_tokens` and `output_tokens` are texts; each of `attention` is a matrix, a row an output token, a column a
    source token, by the name of its module: heads are averaged, those of the last module stand beside it one by one.
    A decoder-only model looks at its own outputs, too, so its rows add up to less than 1.

    Returns:
        As many as there are sources; none if the model has no attention or cannot be loaded here.
    """
    from seqlab.inference.bundle import load

    try:
        predictor = load(folder, trust)
        search = predictor.search
        predictor.search = replace(search, max_length=min(search.max_length, LONGEST))  # a page shows no more
        looks = predictor.attentions(sources)
    except ValueError:
        return []  # of an earlier format, or of a package that is not trusted: there is the rest to show
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
