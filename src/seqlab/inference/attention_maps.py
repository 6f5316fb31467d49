"""Where a model looks in the source for each token that it writes, with the tokens as text.

B sources, S their longest length, T the longest output, H heads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from seqlab.decoding import Search
from seqlab.models.base import Seq2Seq
from seqlab.special_tokens import BOS, EOS, PAD, UNK
from seqlab.text.tokenizers import IntegerTokenizer, Tokenizer

END = "<eos>"
"""How the token that ends an output is shown."""


@dataclass(frozen=True)
class AttentionMaps:
    """Where a model looked in one source.

    Args:
        maps: for each attention of the decoder, by the name of its module, (H, output tokens, source tokens). In a
            decoder-only model each token also looks at the outputs before it, so its weights add up to less than 1.
            Empty for a model without attention.
    """

    source_tokens: Sequence[str]
    output_tokens: Sequence[str]
    maps: Mapping[str, Float[Tensor, "H T S"]]


def heads_over_source(model: Seq2Seq) -> dict[str, int]:
    """For each attention of the decoder over the source, the number of its heads, by the name of its module.

    Two source tokens and one output token tell them from others by the shape of their weights.
    """
    device = next(model.parameters()).device
    source, lengths = torch.full((1, 2), UNK, device=device), torch.full((1,), 2, device=device)
    maps = model.attention_maps(source, lengths, torch.full((1, 1), BOS, device=device))
    # A decoder-only model attends to the source and to the output at once.
    return {name: weights.size(1) for name, weights in maps.items() if weights.shape[-2:] in ((1, 2), (1, 3))}


def token_text(tokenizer: Tokenizer, i: int) -> str:
    """A token as text, also EOS, and the zero that fills arrays up, both of which `decode` leaves out."""
    if i == EOS:
        return END
    return "0" if isinstance(tokenizer, IntegerTokenizer) and i == tokenizer.filler else tokenizer.decode([i])


def attention_maps(
    model: Seq2Seq, tokenizers: tuple[Tokenizer, Tokenizer], search: Search, sources: Sequence[Sequence[int]]
) -> list[AttentionMaps]:
    """Generates an output for each source, which are ids, and reads the attention while the model decodes it."""
    longest, device = max(map(len, sources)), next(model.parameters()).device
    source = torch.tensor([[*ids, *[PAD] * (longest - len(ids))] for ids in sources], device=device)
    lengths = torch.tensor([len(ids) for ids in sources], device=device)
    outputs = model.generate(source, lengths, search).tokens[:, 0]
    decoder_input = pad(outputs, (1, 0), value=BOS)
    all_maps, steps = model.attention_maps(source, lengths, decoder_input), decoder_input.size(1)
    over_source = {name.removesuffix(".core"): all_maps[name] for name in heads_over_source(model)}
    results = []
    for row, ids in enumerate(sources):
        tokens = [token_text(tokenizers[1], i) for i in outputs[row].tolist() if i != PAD]
        tokens = [*tokens, *([END] if len(tokens) < search.max_length else [])][:steps]
        maps = {name: weights[row, :, : len(tokens), : len(ids)] for name, weights in over_source.items()}
        results.append(AttentionMaps([token_text(tokenizers[0], i) for i in ids], tokens, maps))
    return results
