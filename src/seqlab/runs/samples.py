"""Some outputs of a run to look at, with where its attention looked: the same examples for every run of a test set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from seqlab.kinds import NOTHING, Trust
from seqlab.runs.run_folder import SavedPrediction
from seqlab.special_tokens import BOS, PAD
from seqlab.text.tokenizers import IntegerTokenizer, Tokenizer

SAMPLES = 30
"""Examples that are shown, at most."""

CONTINUED = 400
"""Characters of a continued text that a sample keeps: the end of its prompt, the beginnings of what follows."""

LONGEST = 1000
"""Tokens of an output whose attention is shown."""

BOUNDARY = "<eos>"
"""How the token that ends an output is shown."""


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
        own = predictor.search
        predictor.search = replace(own, max_length=min(own.max_length, LONGEST))  # a page shows no more
        return _looks(predictor, [predictor.encode(source) for source in sources])
    except ValueError:
        return []  # of an earlier format, or of a package that is not trusted: there is the rest to show


def _looks(predictor: Any, ids: list[list[int]]) -> list[dict[str, Any]]:
    import torch
    from torch.nn.functional import pad

    longest = max(map(len, ids))
    source = torch.tensor([[*own, *[PAD] * (longest - len(own))] for own in ids])
    lengths = torch.tensor([len(own) for own in ids])
    said = predictor.model.generate(source, lengths, predictor.search).tokens[:, 0]
    told = pad(said, (1, 0), value=BOS)
    if told.size(1) == longest:  # its shape could not tell what a map looks at
        told = told[:, :-1]
    maps = predictor.model.attention_maps(source, lengths, told)
    steps = told.size(1)
    back = {name: own for name, own in maps.items() if own.shape[-2:] in ((steps, longest), (steps, longest + steps))}
    if not back:
        return []
    looks = []
    for row, own in enumerate(ids):
        output = [i for i in said[row].tolist() if i != PAD]
        names = [_token(predictor.target_tokenizer, i) for i in output]
        names = [*names, *([BOUNDARY] if len(output) < predictor.search.max_length else [])][:steps]
        attention = _named({name: weights[row] for name, weights in back.items()}, len(names), len(own))
        sources = [_token(predictor.source_tokenizer, i) for i in own]
        looks.append({"source_tokens": sources, "output_tokens": names, "attention": attention})
    return looks


def _token(tokenizer: Tokenizer, i: int) -> str:
    """A token as text; the zero that fills arrays up, which `decode` leaves out, too."""
    return "0" if isinstance(tokenizer, IntegerTokenizer) and i == tokenizer.filler else tokenizer.decode([i])


def _named(maps: dict[str, Any], rows: int, columns: int) -> dict[str, list[list[float]]]:
    """Matrices of maps (H, queries, memory) by name, cut to size."""
    named = {}
    for name, weights in maps.items():
        named[name.removesuffix(".core")] = weights.mean(0)
    if len(weights) > 1:
        named |= {f"{name.removesuffix('.core')} head {i}": head for i, head in enumerate(weights, 1)}
    return {
        name: [[round(value, 3) for value in row] for row in weights[:rows, :columns].tolist()]
        for name, weights in named.items()
    }
