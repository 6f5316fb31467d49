"""What a user should know of the text before a model is trained on it."""

from __future__ import annotations

from seqlab.data.module import SequenceData
from seqlab.data.text_pairs import TextPairs
from seqlab.text.languages import unseparated
from seqlab.text.tokenizers import WordTokenizer


def cautions(data: SequenceData) -> list[str]:
    """A line for each side whose words a word tokenizer cannot find, and one on what BLEU cannot be measured by."""
    lines = []
    for side, tokenizer in (("source", data.source_tokenizer), ("target", data.target_tokenizer)):
        if isinstance(tokenizer, WordTokenizer) and (language := unseparated(tokenizer.symbols)):
            lines.append(
                f"nothing separates the words of the {side} ({language}), so that whole phrases are taken for words;"
                " tokenizer=character or tokenizer=sentencepiece suits such text"
            )
    if isinstance(data, TextPairs) and data.bleu_tokenizer.remark:
        lines.append(data.bleu_tokenizer.remark)
    return list(dict.fromkeys(lines))
