"""Sample outputs of a run with their attention; every run of a test set shows the same examples."""

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
"""The largest number of samples."""

CONTINUED = 400
"""How many characters a sample keeps of the end of a prompt and of the beginnings of its continuations."""

LONGEST = 1000
"""The largest number of output tokens whose attention is shown."""

BOUNDARY = "<eos>"
"""How the token that ends an output is shown."""


def chosen(predictions: Sequence[SavedPrediction]) -> list[int]:
    """Rows at even distances among the examples, ordered by the lengths of their sources in words.

    The choice depends on neither outputs nor a tokenizer, so that it is the same for all models.
    """
    order = sorted(range(len(predictions)), key=lambda i: (len(predictions[i].source.split()), i))
    if len(order) <= SAMPLES:
        return order
    return [order[round(i * (len(order) - 1) / (SAMPLES - 1))] for i in range(SAMPLES)]


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
        return _attention(predictor, [predictor.encode(source) for source in sources])
    except ValueError:
        return []  # an earlier format, or a package that is not trusted: samples are shown without attention


def _attention(predictor: Any, ids: list[list[int]]) -> list[dict[str, Any]]:
    import torch
    from torch.nn.functional import pad

    longest = max(map(len, ids))
    source = torch.tensor([[*row, *[PAD] * (longest - len(row))] for row in ids])
    lengths = torch.tensor([len(row) for row in ids])
    outputs = predictor.model.generate(source, lengths, predictor.search).tokens[:, 0]
    decoder_input = pad(outputs, (1, 0), value=BOS)
    if decoder_input.size(1) == longest:  # maps to source and to outputs would have the same shape
        decoder_input = decoder_input[:, :-1]
    maps = predictor.model.attention_maps(source, lengths, decoder_input)
    steps = decoder_input.size(1)
    to_source = {
        name: weights
        for name, weights in maps.items()
        if weights.shape[-2:] in ((steps, longest), (steps, longest + steps))
    }
    if not to_source:
        return []
    entries = []
    for number, row in enumerate(ids):
        output = [i for i in outputs[number].tolist() if i != PAD]
        names = [_token(predictor.target_tokenizer, i) for i in output]
        names = [*names, *([BOUNDARY] if len(output) < predictor.search.max_length else [])][:steps]
        attention = _named({name: weights[number] for name, weights in to_source.items()}, len(names), len(row))
        sources = [_token(predictor.source_tokenizer, i) for i in row]
        entries.append({"source_tokens": sources, "output_tokens": names, "attention": attention})
    return entries


def _token(tokenizer: Tokenizer, i: int) -> str:
    """A token as text, the zero that fills arrays up included (`decode` leaves it out)."""
    return "0" if isinstance(tokenizer, IntegerTokenizer) and i == tokenizer.filler else tokenizer.decode([i])


def _named(maps: dict[str, Any], rows: int, columns: int) -> dict[str, list[list[float]]]:
    """The matrices of maps (H, queries, memory) by name, cut to `rows` and `columns`."""
    named = {}
    for name, weights in maps.items():
        named[name.removesuffix(".core")] = weights.mean(0)
    if len(weights) > 1:
        named |= {f"{name.removesuffix('.core')} head {i}": head for i, head in enumerate(weights, 1)}
    return {
        name: [[round(value, 3) for value in row] for row in weights[:rows, :columns].tolist()]
        for name, weights in named.items()
    }
