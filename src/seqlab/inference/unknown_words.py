"""Outputs as text, unknown words replaced by words of the source where the search asks for it.

B batch, S source length, N outputs a row, L longest output.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional as F

from seqlab.decoding import Search
from seqlab.errors import InputError
from seqlab.models.base import Seq2Seq
from seqlab.special_tokens import BOS, PAD, UNK
from seqlab.text.tokenizers import Tokenizer, WordTokenizer

SETTING = "decoding.replace_unknown"


def check_replacing(search: Search, model: Seq2Seq, source: Tokenizer, target: Tokenizer, sources: bool = True) -> None:
    """Refuses to replace unknown words where there is no source word to take.

    Args:
        sources: whether outputs are made from sources.

    Raises:
        InputError: the search asks for it, and a tokenizer has no words, the model no attention, or texts no sources.
    """
    if not search.replace_unknown:
        return
    for side, tokenizer in (("source", source), ("target", target)):
        if not isinstance(tokenizer, WordTokenizer):
            raise InputError(f"{SETTING}: needs words, but the {side}'s tokenizer is a {type(tokenizer).__name__}")
    if not sources:
        raise InputError(f"{SETTING}: there are no sources to take words from")
    if not model.attends:
        raise InputError(f"{SETTING}: {type(model).__name__} has no attention that would say which source word to take")


def written(
    search: Search,
    model: Seq2Seq,
    tokenizers: tuple[Tokenizer, Tokenizer],
    source: Int[Tensor, "B S"],
    source_lengths: Int[Tensor, " B"],
    texts: Sequence[str] | None,
    tokens: Int[Tensor, "B N L"],
) -> list[list[str]]:
    """The outputs of each source as text; `texts` are the sources', needed where unknown words are replaced.

    With `replace_unknown` an unknown word is the word of the source's text that was attended to most at its step, in
    the mean of all attention over the source (Luong et al. 2015b, arXiv 1410.8206, section 3, who align by positions;
    Jean et al. 2015, arXiv 1412.2007, section 3.3, by attention).

    Raises:
        InputError: as `check_replacing`.
        ValueError: no `texts`, though unknown words are replaced.
    """
    own, target = tokenizers
    check_replacing(search, model, own, target)
    if not (search.replace_unknown and isinstance(own, WordTokenizer) and isinstance(target, WordTokenizer)):
        return [[target.decode(ids) for ids in outputs] for outputs in tokens.tolist()]
    if texts is None:
        raise ValueError("texts must be those of the sources where unknown words are replaced, but are None")
    words = [own.split(text) for text in texts]
    results: list[list[str]] = [[] for _ in texts]
    for outputs in tokens.unbind(1):
        looks = _looked_at(model, source, source_lengths, outputs)
        for row, ids in enumerate(outputs.tolist()):
            unknown = [words[row][looks[row][step]] for step, i in enumerate(ids) if i == UNK]
            results[row].append(target.decode(ids, unknown))
    return results


@torch.inference_mode()
def _looked_at(
    model: Seq2Seq, source: Int[Tensor, "B S"], source_lengths: Int[Tensor, " B"], tokens: Int[Tensor, "B L"]
) -> dict[int, list[int]]:
    """Of each row with an unknown token, the position in the source that was attended to most before each token."""
    rows = (tokens == UNK).any(dim=1).nonzero().squeeze(1)
    if not len(rows):
        return {}
    source, lengths, tokens = source[rows], source_lengths[rows], tokens[rows]
    steps = tokens.size(1)
    if source.size(1) == steps:  # else the shape of a map could not tell what it looks at
        source = F.pad(source, (0, 1), value=PAD)
    width = source.size(1)
    maps = model.attention_maps(source, lengths, F.pad(tokens[:, :-1], (1, 0), value=BOS))
    # A decoder-only model looks at its own outputs behind the source.
    over_source = [
        own[..., :width] for own in maps.values() if own.shape[-2:] in ((steps, width), (steps, width + steps))
    ]
    if not over_source:
        raise InputError(f"{SETTING}: {type(model).__name__} has no attention over its source")
    weights = torch.stack([own.mean(dim=1) for own in over_source]).mean(dim=0)
    outside = torch.arange(width, device=weights.device) >= lengths[:, None]
    looks = weights.masked_fill(outside[:, None], -1.0).argmax(dim=-1)
    return dict(zip(rows.tolist(), looks.tolist(), strict=True))
