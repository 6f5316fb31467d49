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
from seqlab.special_tokens import BOS, PAD
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


def attention_maps(
    model: Seq2Seq, tokenizers: tuple[Tokenizer, Tokenizer], search: Search, sources: Sequence[Sequence[int]]
) -> list[AttentionMaps]:
    """Generates an output for each source, which are ids, and reads the attention while the model decodes it."""
    longest, device = max(map(len, sources)), next(model.parameters()).device
    source = torch.tensor([[*ids, *[PAD] * (longest - len(ids))] for ids in sources], device=device)
    lengths = torch.tensor([len(ids) for ids in sources], device=device)
    outputs = model.generate(source, lengths, search).tokens[:, 0]
    decoder_input = pad(outputs, (1, 0), value=BOS)
    if decoder_input.size(1) == longest:  # else a map's shape does not tell whether it is over the source
        decoder_input = decoder_input[:, :-1]
    steps = decoder_input.size(1)
    over_source = {
        name.removesuffix(".core"): weights
        for name, weights in model.attention_maps(source, lengths, decoder_input).items()
        if weights.shape[-2:] in ((steps, longest), (steps, longest + steps))
    }
    results = []
    for row, ids in enumerate(sources):
        tokens = [_text(tokenizers[1], i) for i in outputs[row].tolist() if i != PAD]
        tokens = [*tokens, *([END] if len(tokens) < search.max_length else [])][:steps]
        maps = {name: weights[row, :, : len(tokens), : len(ids)] for name, weights in over_source.items()}
        results.append(AttentionMaps([_text(tokenizers[0], i) for i in ids], tokens, maps))
    return results


def _text(tokenizer: Tokenizer, i: int) -> str:
    """A token as text, also the zero that fills arrays up, which `decode` leaves out."""
    return "0" if isinstance(tokenizer, IntegerTokenizer) and i == tokenizer.filler else tokenizer.decode([i])
