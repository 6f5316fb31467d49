"""Warnings about a dataset's text, printed before training."""

from __future__ import annotations

from seqlab.data.module import SequenceData
from seqlab.data.text_pairs import TextPairs
from seqlab.errors import InputError
from seqlab.special_tokens import BOS, EOS, PAD, UNK
from seqlab.text.languages import unseparated
from seqlab.text.tokenizers import WordTokenizer

MOSTLY = 0.5
"""A share of unknown words above which a warning is printed."""

NEARLY_ALL = 0.95
"""A share of unknown words above which there is nothing to learn."""

LOOKED_AT = 1000
"""Examples of a split in which unknown words are counted."""


def cautions(data: SequenceData) -> list[str]:
    """One line for each side whose language a word tokenizer cannot split into words, one if BLEU is affected, and one
    for each split whose targets are mostly unknown words.
    """
    lines = []
    for side, tokenizer in (("source", data.source_tokenizer), ("target", data.target_tokenizer)):
        if isinstance(tokenizer, WordTokenizer) and (language := unseparated(tokenizer.symbols)):
            lines.append(
                f"the {side} ({language}) has no spaces between words, so whole phrases are taken for words;"
                " tokenizer=character or tokenizer=sentencepiece suits such text"
            )
    if isinstance(data, TextPairs) and data.bleu_tokenizer.remark:
        lines.append(data.bleu_tokenizer.remark)
    if isinstance(data.target_tokenizer, WordTokenizer):
        for split in (split for split in data.splits if split != "train"):
            if (share := _unknown_share(data, split)) > MOSTLY:
                lines.append(
                    f"{share:.0%} of the target words of {split} are not in the vocabulary, which no model can write;"
                    " tokenizer=character or tokenizer=sentencepiece has no unknown words"
                )
    return list(dict.fromkeys(lines))


def check_targets(data: SequenceData) -> None:
    """Checks that a model can learn to write the targets that it is measured by.

    Raises:
        InputError: nearly all target words of a split are unknown.
    """
    for split in data.splits if isinstance(data.target_tokenizer, WordTokenizer) else ():
        if (share := _unknown_share(data, split)) > NEARLY_ALL:
            raise InputError(
                f"{share:.0%} of the target words of {split} are not in the vocabulary, so no model can write them;"
                " words have to come back: type tokenizer=character or tokenizer=sentencepiece, which know all"
            )


def _unknown_share(data: SequenceData, split: str) -> float:
    """The share of a split's target words that are not in the vocabulary, of at most `LOOKED_AT` examples."""
    examples = data.examples[split]
    rows = range(min(len(examples), LOOKED_AT))
    ids = [i for row in rows for i in examples.target_ids(row).tolist() if i not in (PAD, BOS, EOS)]
    return ids.count(UNK) / max(1, len(ids))
