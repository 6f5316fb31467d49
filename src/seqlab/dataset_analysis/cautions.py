"""Warnings about a dataset's text, printed before training."""

from __future__ import annotations

from seqlab.data.module import SequenceData
from seqlab.data.text_pairs import TextPairs
from seqlab.dataset_analysis.first_look import unknown_share
from seqlab.errors import InputError
from seqlab.text.languages import unseparated
from seqlab.text.tokenizers import WordTokenizer

MANY = 0.2
"""A share of unknown words above which a warning is printed."""

NEARLY_ALL = 0.95
"""A share of unknown words above which there is nothing to learn."""


def cautions(data: SequenceData) -> list[str]:
    """One line for each side whose language a word tokenizer cannot split into words, one if BLEU is affected, and one
    for each held-out split of whose target words many are unknown.
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
            if (share := unknown_share(data, split, "target")) > MANY:
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
        if (share := unknown_share(data, split, "target")) > NEARLY_ALL:
            raise InputError(
                f"{share:.0%} of the target words of {split} are not in the vocabulary, so no model can write them;"
                " words have to come back: type tokenizer=character or tokenizer=sentencepiece, which know all"
            )
