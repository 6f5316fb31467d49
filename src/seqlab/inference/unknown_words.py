"""Outputs as text; with the setting `replace_unknown`, words of the source replace unknown words.

B batch, S source length, N outputs per row, L longest output.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional as F

from seqlab.decoding import Search
from seqlab.errors import InputError
from seqlab.inference.attention_maps import heads_over_source
from seqlab.models.base import Seq2Seq
from seqlab.special_tokens import BOS, UNK
from seqlab.text.forms import formed
from seqlab.text.tokenizers import Tokenizer, WordTokenizer

SETTING = "decoding.replace_unknown"


def check_replacing(search: Search, model: Seq2Seq, source: Tokenizer, target: Tokenizer, sources: bool = True) -> None:
    """Checks that unknown words can be replaced, if the search does so.

    Args:
        sources: whether outputs are generated from sources.

    Raises:
        InputError: a tokenizer is not one of words, the model has no attention, or there are no sources.
    """
    if not search.replace_unknown:
        return
    for side, tokenizer in (("source", source), ("target", target)):
        if not isinstance(tokenizer, WordTokenizer):
            raise InputError(f"{SETTING}: needs words, but the {side}'s tokenizer is a {type(tokenizer).__name__}")
    if not sources:
        raise InputError(f"{SETTING}: there are no sources to take words from")
    if not model.attends:
        raise InputError(f"{SETTING}: {type(model).__name__} has no attention to choose a source word by")


def outputs_as_text(
    search: Search,
    model: Seq2Seq,
    tokenizers: tuple[Tokenizer, Tokenizer],
    source: Int[Tensor, "B S"],
    source_lengths: Int[Tensor, " B"],
    texts: Sequence[str] | None,
    tokens: Int[Tensor, "B N L"],
) -> list[list[str]]:
    """The outputs `tokens` of each source as text.

    With `replace_unknown`, an unknown word becomes the source word with the most attention at its step, in the mean of
    all attention over the source (Luong et al. 2015b, arXiv 1410.8206, section 3, who align by positions; Jean et al.
    2015, arXiv 1412.2007, section 3.3, by attention).

    Args:
        tokenizers: those of source and target.
        texts: the sources' texts, needed if unknown words are replaced.

    Raises:
        InputError: as `check_replacing`.
        ValueError: `texts` is None, but unknown words are replaced.
    """
    source_tokenizer, target = tokenizers
    check_replacing(search, model, source_tokenizer, target)
    if not (
        search.replace_unknown and isinstance(source_tokenizer, WordTokenizer) and isinstance(target, WordTokenizer)
    ):
        return [[target.decode(ids) for ids in outputs] for outputs in tokens.tolist()]
    if texts is None:
        raise ValueError("texts must be those of the sources if unknown words are replaced, but is None")
    words = [source_tokenizer.split(formed(text, source_tokenizer.form)) for text in texts]
    attentions = _attentions_over_source(model) if bool((tokens == UNK).any()) else []
    results: list[list[str]] = [[] for _ in texts]
    for outputs in tokens.unbind(1):
        attended = _attended_positions(model, attentions, source, source_lengths, outputs)
        for row, ids in enumerate(outputs.tolist()):
            replacements = [words[row][attended[row][step]] for step, i in enumerate(ids) if i == UNK]
            results[row].append(target.decode(ids, replacements))
    return results


def _attentions_over_source(model: Seq2Seq) -> list[str]:
    """The names of the model's attentions over the source.

    Raises:
        InputError: it has none.
    """
    if not (names := list(heads_over_source(model))):
        raise InputError(f"{SETTING}: {type(model).__name__} has no attention over its source")
    return names


@torch.inference_mode()
def _attended_positions(
    model: Seq2Seq,
    attentions: Sequence[str],
    source: Int[Tensor, "B S"],
    source_lengths: Int[Tensor, " B"],
    tokens: Int[Tensor, "B L"],
) -> dict[int, list[int]]:
    """For each row with an unknown token, the source position with the most attention at each step."""
    rows = (tokens == UNK).any(dim=1).nonzero().squeeze(1)
    if not len(rows):
        return {}
    source, lengths, tokens = source[rows], source_lengths[rows], tokens[rows]
    maps = model.attention_maps(source, lengths, F.pad(tokens[:, :-1], (1, 0), value=BOS))
    width = source.size(1)  # what a decoder-only model attends to behind that are its own outputs
    mean = torch.stack([maps[name][..., :width].mean(dim=1) for name in attentions]).mean(dim=0)
    padding = torch.arange(width, device=mean.device) >= lengths[:, None]
    positions = mean.masked_fill(padding[:, None], -1.0).argmax(dim=-1)
    return dict(zip(rows.tolist(), positions.tolist(), strict=True))
