"""Warnings about a dataset's text, printed before training."""

from __future__ import annotations

from seqlab.data.module import SequenceData
from seqlab.data.text_pairs import TextPairs
from seqlab.text.languages import unseparated
from seqlab.text.tokenizers import WordTokenizer


def cautions(data: SequenceData) -> list[str]:
    """One line for each side whose language a word tokenizer cannot split into words, and one if BLEU is affected."""
    lines = []
    for side, tokenizer in (("source", data.source_tokenizer), ("target", data.target_tokenizer)):
        if isinstance(tokenizer, WordTokenizer) and (language := unseparated(tokenizer.symbols)):
            lines.append(
                f"the {side} ({language}) has no spaces between words, so whole phrases are taken for words;"
                " tokenizer=character or tokenizer=sentencepiece suits such text"
            )
    if isinstance(data, TextPairs) and data.bleu_tokenizer.remark:
        lines.append(data.bleu_tokenizer.remark)
    return list(dict.fromkeys(lines))
