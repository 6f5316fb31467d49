"""How much of a dataset's held-out splits appears in its training split; computed once and cached."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from tqdm import tqdm

from seqlab.data.cache import cached, key_of
from seqlab.data.module import SequenceData
from seqlab.data.passages import CHUNK
from seqlab.files import write_json
from seqlab.metrics.leakage import Leakage, leakage

FILE = "leakage.json"
HELD_OUT_PARTS, TRAINING_PARTS = 16, 256
"""Of a held-out split so many parts of examples are looked at, evenly spread (65,536 examples); in so many parts of
training (1,048,576 examples) near copies and n-grams are looked for. Word for word, all of training is compared."""


def leakage_of(data: SequenceData) -> dict[str, Leakage]:
    """The leakage of each held-out split of a dataset that is set up; {} if it has no held-out split."""
    held_out = [split for split in data.splits if split != "train"]
    if not held_out:
        return {}

    def measure(folder: Path) -> None:
        bar = tqdm(
            data.passages("train"),
            desc="leakage",
            total=_parts(data, "train") if data.has_bos_eos else None,  # a stream has no examples
            unit=" parts",
            delay=3,
            leave=False,
            disable=None,
        )
        every = {split: _every(data, split, HELD_OUT_PARTS) for split in held_out}
        parts = {split: islice(data.passages(split), 0, None, every[split]) for split in held_out}
        training_every = _every(data, "train", TRAINING_PARTS)
        measured = leakage(iter(bar), parts, training_every)
        write_json(
            folder / FILE, {split: _sampled(one, every[split], training_every) for split, one in measured.items()}
        )

    key = key_of(content=data.content_key())
    folder = cached(data.cache / f"leakage-{key}", measure)
    stored = json.loads((folder / FILE).read_text(encoding="utf-8"))
    return {split: Leakage.from_json(one) for split, one in stored.items()}


def _every(data: SequenceData, split: str, parts: int) -> int:
    """One part of a split's examples in so many makes at most `parts`; 1 for a stream, which has no examples."""
    return max(1, -(-_parts(data, split) // parts)) if data.has_bos_eos else 1


def _parts(data: SequenceData, split: str) -> int:
    return -(-len(data.examples[split]) // CHUNK)


def _sampled(leaks: Leakage, held_out_every: int, training_every: int) -> dict[str, Any]:
    """A leakage as JSON that says which examples it was measured on."""
    sides = {
        name: replace(side, held_out_every=held_out_every, training_every=training_every)
        for name, side in leaks.sides.items()
    }
    return Leakage(sides).to_json()
