"""Tokenizers: text to ids and back. PAD, BOS, EOS and UNK are ids 0 to 3 in all of them; other symbols follow.

`encode` never adds BOS or EOS (the data does); `decode` leaves out the four special tokens, except that UNK becomes
`<unk>`. `fit` learns a vocabulary, from training texts only.
"""

from seqlab.text.tokenizers.integers import IntegerTokenizer
from seqlab.text.tokenizers.subwords import SentencePieceTokenizer
from seqlab.text.tokenizers.tokenizer import UNKNOWN, Fit, Tokenizer, fit_settings, from_json, matches_one, to_json
from seqlab.text.tokenizers.vocabularies import (
    ByteTokenizer,
    CharacterTokenizer,
    GraphemeTokenizer,
    WordTokenizer,
    words_and_marks,
)

__all__ = [
    "UNKNOWN",
    "ByteTokenizer",
    "CharacterTokenizer",
    "Fit",
    "GraphemeTokenizer",
    "IntegerTokenizer",
    "SentencePieceTokenizer",
    "Tokenizer",
    "WordTokenizer",
    "fit_settings",
    "from_json",
    "matches_one",
    "to_json",
    "words_and_marks",
]
