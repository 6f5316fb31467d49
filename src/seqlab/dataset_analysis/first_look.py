"""A few examples of a dataset, so that a wrong column or a wrong tokenizer is seen before training."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate

from rich.cells import cell_len

from hydra_pruning_sweeper.messages import isolated, printable
from seqlab.data.module import SequenceData
from seqlab.data.text_pairs import TextPairs
from seqlab.metrics.leakage import percent
from seqlab.special_tokens import BOS, EOS, PAD, UNK
from seqlab.text.tokenizers import UNKNOWN, Tokenizer

MARKS = {PAD: "<pad>", BOS: "<bos>", EOS: "<eos>", UNK: UNKNOWN}
SHOWN_TOKENS = 24
"""How many tokens of a side an example shows."""
SHOWN_COLUMNS = 60
"""How many columns of a terminal an example takes for each side."""
SPACE = "\N{OPEN BOX}"
"""How a space in a token is shown."""
PAIR_LABEL = 17
"""Columns that the label of a pair takes."""
SEARCHED = 200_000
"""Training pairs among which those that stand out are searched."""
LOOKED_AT = 1000
"""Examples of a split in which unknown tokens are counted, at most."""


def striking_pairs(data: TextPairs) -> dict[str, list[str]]:
    """The training pair that is the first, the longest, the one with the most different lengths, and the one with the
    rarest characters, all of them different as far as there are so many; shortened. Of a large dataset, `SEARCHED`
    pairs are looked at, evenly spread.
    """
    pairs = [(pair.source, pair.target) for pair in data.training_pairs(SEARCHED)]
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
    """The beginning of a text, in at most `SHOWN_COLUMNS` columns."""
    if cell_len(text) <= SHOWN_COLUMNS:
        return text
    widths = accumulate(map(cell_len, text[:SHOWN_COLUMNS]))
    return text[: sum(width < SHOWN_COLUMNS for width in widths)] + "…"


def pair_lines(label: str, source: str, target: str) -> list[str]:
    """A pair behind a label, safe to print and each side in its own direction of writing: in one line of the terminal,
    or, where it is too long, in one for each side.
    """
    source, target = isolated(printable(source)), isolated(printable(target))
    label = label.ljust(PAIR_LABEL)
    if cell_len(line := f"{label}{source}  →  {target}") <= shutil.get_terminal_size().columns:
        return [line]
    return [f"{label}{source}", f"{'→  ':>{PAIR_LABEL}}{target}"]


def unknown_share(data: SequenceData, split: str, side: str) -> float:
    """The share of the tokens of a split's sources or targets that are unknown, in at most `LOOKED_AT` examples,
    evenly spread.

    Args:
        side: "source" or "target".
    """
    examples = data.examples[split]
    ids_of = examples.source_ids if side == "source" else examples.target_ids
    rows = range(0, len(examples), max(1, -(-len(examples) // LOOKED_AT)))
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
    """Ids as the tokens that they are, from left to right with bars between, whatever the direction of writing within
    each; long sequences are shortened.
    """
    shown = [MARKS.get(i) or tokenizer.piece(i).replace(" ", SPACE) for i in ids[:SHOWN_TOKENS]]
    text = printable("|".join(shown)) + ("|…" if len(ids) > SHOWN_TOKENS else "")
    return "|".join(map(isolated, shortened(text).split("|")))
