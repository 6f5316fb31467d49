"""What a dataset is called where people read it: its name, and in words the settings that tell it from others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seqlab.reporting.page.groups import RunGroup, leaves
from seqlab.reproduction.claim import with_profile

TOKENS = {
    "WordTokenizer": "words",
    "CharacterTokenizer": "characters",
    "GraphemeTokenizer": "characters with their marks",
    "ByteTokenizer": "bytes",
    "SentencePieceTokenizer": "word pieces",
}
"""What the tokens of a tokenizer are."""
PHRASES: dict[tuple[str, Any], str] = {
    ("fill", True): "filled up with zeros",
    ("fill", False): "not filled up",
    ("lower", True): "lower-cased",
    ("lower", False): "case kept",
    ("algorithm", "bpe"): "byte-pair encoding",
    ("algorithm", "unigram"): "unigram word pieces",
    ("min_frequency", 1): "all words",
    ("split", "source"): "split by source sentence",
    ("split", "published"): "published split",
    ("split", "block"): "blocks of sentences held out",
    ("split", "document"): "whole documents held out",
    ("split", "tail"): "last part held out",
    ("split", "folder"): "validated on another text",
}
"""A setting's name and value → how a heading says it."""
NAMES = {
    "samples": "{} samples",
    "seed": "data seed {}",
    "vocabulary_size": "vocabulary of {}",
    "min_frequency": "words that occur at least {} times",
    "max_length": "up to {} tokens in training",
    "val_max_length": "up to {} tokens in validation",
    "test_max_length": "up to {} tokens in test",
    "max_pairs": "at most {} pairs",
    "max_words": "at most {} words per sentence",
}
"""A setting's name → how a heading says any other value of it."""


YOURS, REFERENCE = " (yours)", " (reference)"


def title(groups: Sequence[RunGroup]) -> str:
    """The heading over groups of one dataset; it says whether some are the user's, or all of them references."""
    return heading(groups[0]) + (YOURS if any(one.is_users for one in groups) else REFERENCE)


def heading(group: RunGroup) -> str:
    """The dataset of a group, with settings such as `fill=false` in words, and how far training went if test goes
    further.
    """
    values = leaves(group.setting("data"))
    words = [in_words(name, values[name]) for name in group.distinguished_by]
    if group.trained_to is not None and "max_length" not in group.distinguished_by:
        words.append(in_words("max_length", group.trained_to))
    plain = group.dataset.removesuffix(f" ({group.distinguishing})") if group.distinguished_by else group.dataset
    return f"{plain} ({', '.join(words)})" if words else plain


def in_words(name: str, value: Any) -> str:
    """A setting of the data and its value: `samples` and 10000 as "10,000 samples"."""
    if isinstance(value, str | int) and (name, value) in PHRASES:
        return PHRASES[name, value]
    if name == "_target_":
        class_name = next((part for part in reversed(str(value).split(".")) if part[:1].isupper()), str(value))
        return TOKENS.get(class_name, class_name)
    plain = name.replace("_", " ")
    if value is None:
        return f"{plain} not set"
    if isinstance(value, bool):
        return plain if value else f"no {plain}"
    text = f"{value:,}" if isinstance(value, int) and name != "seed" else str(value)
    return NAMES.get(name, f"{plain} {{}}").replace("{}", text)


def claim_name(claim: Mapping[str, Any]) -> str:
    """The name of a claim, with its profile where that is not the usual one."""
    return with_profile(claim["claim"], claim["profile"], "{}-{}")
