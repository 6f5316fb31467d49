"""Some outputs of a run to look at, with where its attention looked: the same examples for every run of a test set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqlab.reporting.digests.run_folder import Said

SAMPLES = 30
"""Examples that are shown, at most."""

CONTINUED = 400
"""Characters of a continued text that a sample keeps: the end of its prompt, the beginnings of what follows."""

BOUNDARY = "<eos>"
"""How the token that ends an output is shown."""


def chosen(said: Sequence[Said]) -> list[int]:
    """Rows that are spread evenly over the examples in the order of their sources' lengths in words.

    Neither outputs nor a tokenizer has a say in it, so that runs of other models choose the same.
    """
    order = sorted(range(len(said)), key=lambda i: (len(said[i].source.split()), i))
    if len(order) <= SAMPLES:
        return order
    return [order[round(i * (len(order) - 1) / (SAMPLES - 1))] for i in range(SAMPLES)]


def continued(said: Sequence[Said]) -> list[dict[str, Any]]:
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


def attention(folder: Path, sources: Sequence[str]) -> list[dict[str, Any]]:
    """For each source what the run's bundle says now, token by token, and where its decoder looked in the source.

    `source_tokens` and `output_tokens` are texts; each of `attention` is a matrix, a row an output token, a column a
    source token, by the name of its module: heads are averaged, those of the last module stand beside it one by one.
    A decoder-only model looks at its own outputs, too, so its rows add up to less than 1.

    Returns:
        As many as there are sources; none if the model has no attention or cannot be loaded here.
    """
    from seqlab import load

    try:
        predictor = load(folder)
        ids = [predictor.encode(source) for source in sources]
    except ValueError:
        return []  # of an earlier format, or of a package that is not here: there is the rest to show
    return _looks(predictor, ids)


def _looks(predictor: Any, ids: list[list[int]]) -> list[dict[str, Any]]:
    import torch
    from torch.nn.functional import pad

    from seqlab.symbols import BOS, PAD

    longest = max(map(len, ids))
    source = torch.tensor([[*own, *[PAD] * (longest - len(own))] for own in ids])
    lengths = torch.tensor([len(own) for own in ids])
    said = predictor.model.generate(source, lengths, predictor.search).tokens[:, 0]
    told = pad(said, (1, 0), value=BOS)
    # Wider than the outputs are long: the shape of a map then says what it looks at.
    source = pad(source, (0, max(0, told.size(1) + 1 - longest)), value=PAD)
    maps = predictor.model.attention_maps(source, lengths, told)
    back = {name: weights for name, weights in maps.items() if _looks_back(weights, source, told)}
    if not back:
        return []
    looks = []
    for row, own in enumerate(ids):
        output = [i for i in said[row].tolist() if i != PAD]
        names = [predictor.target_tokenizer.decode([i]) for i in output]
        ended = [BOUNDARY] if len(output) < predictor.search.max_length else []
        look = {"source_tokens": [predictor.source_tokenizer.decode([i]) for i in own], "output_tokens": names + ended}
        size = len(look["output_tokens"]), len(own)
        looks.append({**look, "attention": _named({name: weights[row] for name, weights in back.items()}, *size)})
    return looks


def _looks_back(weights: Any, source: Any, told: Any) -> bool:
    """Whether a map (B, H, queries, memory) is of the decoder and looks at the source."""
    return weights.size(-2) == told.size(1) and weights.size(-1) in (source.size(1), source.size(1) + told.size(1))


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
