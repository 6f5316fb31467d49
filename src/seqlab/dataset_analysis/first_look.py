"""A few examples of a dataset, so that a wrong column or a wrong tokenizer is seen before training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hydra_pruning_sweeper.messages import isolated, printable
from seqlab.data.module import SequenceData
from seqlab.data.text_pairs import TextPairs
from seqlab.metrics.leakage import percent
from seqlab.special_tokens import BOS, EOS, PAD, UNK
from seqlab.text.tokenizers import UNKNOWN, Tokenizer

MARKS = {PAD: "<pad>", BOS: "<bos>", EOS: "<eos>", UNK: UNKNOWN}
SHOWN_TOKENS = 24
"""How many tokens of a side an example shows."""
SHOWN_CHARACTERS = 90
"""How many characters of a side an example shows."""
LOOKED_AT = 1000
"""Examples of a split in which unknown tokens are counted."""


def striking_pairs(data: TextPairs) -> dict[str, list[str]]:
    """The training pair that is the first, the longest, the one with the most different lengths, and the one with the
    rarest characters, all of them different as far as there are so many; shortened.
    """
    pairs = [(pair.source, pair.target) for pair in data.training_pairs()]
    counts = Counter(character for pair in pairs for side in pair for character in side)
    scores = {
        "longest": lambda pair: len(pair[0]) + len(pair[1]),
        "lengths differ": lambda pair: abs(len(pair[0]) - len(pair[1])) / (min(map(len, pair)) + 1),
        "rare characters": lambda pair: sum(1 / counts[one] for one in {*pair[0], *pair[1]}),
    }
    chosen = {"first": pairs[0]}
    for name, score in scores.items():
        others = [pair for pair in pairs if pair not in chosen.values()]
        if others:
            chosen[name] = max(others, key=score)
    return {name: [shortened(side) for side in pair] for name, pair in chosen.items()}


def shortened(text: str) -> str:
    """The beginning of a text."""
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1]}…"


def pair_line(source: str, target: str) -> str:
    """A pair in one line that is safe to print, each side in its own direction of writing."""
    return f"{isolated(printable(source))}  →  {isolated(printable(target))}"


def unknown_share(data: SequenceData, split: str, side: str) -> float:
    """The share of the tokens of a split's sources or targets that are unknown, in at most `LOOKED_AT` examples.

    Args:
        side: "source" or "target".
    """
    examples = data.examples[split]
    ids_of = examples.source_ids if side == "source" else examples.target_ids
    rows = range(min(len(examples), LOOKED_AT))
    ids = [i for row in rows for i in ids_of(row).tolist() if i not in (PAD, BOS, EOS)]
    return ids.count(UNK) / max(1, len(ids))


def unknown_line(data: SequenceData) -> str:
    """The shares of unknown tokens: "train 0%, 0%; val 7.7%, 10.1% of source and target tokens"."""
    sides = ["source", "target"] if data.longest_source else ["target"]
    shares = {split: ", ".join(percent(unknown_share(data, split, side)) for side in sides) for split in data.splits}
    what = "source and target tokens" if len(sides) == 2 else "tokens"
    return "; ".join(f"{split} {both}" for split, both in shares.items()) + f" of {what}"


def token_lines(data: SequenceData) -> list[str]:
    """The first and the middle training example as the model gets them: tokens with bars between."""
    examples = data.examples["train"]
    lines = []
    for row in dict.fromkeys((0, len(examples) // 2)):
        target = tokens(data.target_tokenizer, examples.target_ids(row).tolist())
        source = tokens(data.source_tokenizer, examples.source_ids(row).tolist())
        lines.append(f"{source}  →  {target}" if data.longest_source else target)
    return lines


def tokens(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    """Ids as the tokens that they are, with bars between; long sequences are shortened."""
    shown = [MARKS.get(i) or tokenizer.piece(i) for i in ids[:SHOWN_TOKENS]]
    text = printable("|".join(shown)) + ("|…" if len(ids) > SHOWN_TOKENS else "")
    return isolated(shortened(text))
