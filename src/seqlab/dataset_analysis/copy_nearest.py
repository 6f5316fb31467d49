"""What can be had on a dataset of texts without a model: looked for once, then read from the cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from seqlab.data.cache import cached, key_of
from seqlab.data.text_pairs import TextPairs
from seqlab.metrics.baselines import copy_nearest, nearest

FILE = "nearest.npy"


def copy_nearest_of(data: TextPairs, split: str) -> dict[str, float]:
    """`copy_nearest` for the sources of a split that are generated from when measuring."""
    rows = data.rows_to_generate(split).nonzero()[0].tolist()
    training = data.training_pairs()

    def search(folder: Path) -> None:
        found = nearest([data.source_text(split, row) for row in rows], [pair.source for pair in training])
        np.save(folder / FILE, np.array(found, dtype=np.int64), allow_pickle=False)

    # Kept is what takes long. The metrics are not: computing them may take all processes, and one may lack the file.
    key = key_of(content=data.content_key(), split=split)
    folder = cached(data.cache / f"nearest-{key}", search)
    copied = [training[row].target for row in np.load(folder / FILE, allow_pickle=False)]
    references = [data.references(split, row) for row in rows]
    return copy_nearest(copied, references, data.target_tokenizer.lower, data.bleu_tokenizer.name)
