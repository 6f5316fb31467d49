"""How much of a dataset's held-out splits appears in its training split; computed once and cached."""

from __future__ import annotations

import json
from pathlib import Path

from tqdm import tqdm

from seqlab.data.cache import cached, key_of
from seqlab.data.module import SequenceData
from seqlab.data.passages import CHUNK
from seqlab.files import write_json
from seqlab.metrics.leakage import Leakage, leakage

FILE = "leakage.json"


def leakage_of(data: SequenceData) -> dict[str, Leakage]:
    """The leakage of each held-out split of a dataset that is set up; {} if it has no held-out split."""
    held_out = [split for split in data.splits if split != "train"]
    if not held_out:
        return {}

    def measure(folder: Path) -> None:
        bar = tqdm(
            data.passages("train"),
            desc="leakage",
            total=-(-len(data.examples["train"]) // CHUNK) if data.has_bos_eos else None,  # a stream has no examples
            unit=" parts",
            delay=3,
            leave=False,
            disable=None,
        )
        measured = leakage(iter(bar), {split: data.passages(split) for split in held_out})
        write_json(folder / FILE, {split: one.to_json() for split, one in measured.items()})

    key = key_of(content=data.content_key())
    folder = cached(data.cache / f"leakage-{key}", measure)
    stored = json.loads((folder / FILE).read_text(encoding="utf-8"))
    return {split: Leakage.from_json(one) for split, one in stored.items()}
