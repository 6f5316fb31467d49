"""The copy-nearest baseline of a dataset of texts. The nearest sources are searched once and cached."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from seqlab.data.cache import cached, key_of
from seqlab.data.text_pairs import TextPairs
from seqlab.metrics.baselines import copy_nearest, nearest

FILE = "nearest.npy"


def copy_nearest_of(data: TextPairs, split: str) -> dict[str, float]:
    """`copy_nearest` on the rows of a split that a model is evaluated on (`rows_to_generate`)."""
    rows = data.rows_to_generate(split).nonzero()[0].tolist()
    training = data.training_pairs()

    def search(folder: Path) -> None:
        indices = nearest([data.source_text(split, row) for row in rows], [pair.source for pair in training])
        np.save(folder / FILE, np.array(indices, dtype=np.int64), allow_pickle=False)

    # Only the slow search is cached. The metrics are not, because they gather the rows of all processes: none may skip
    # them.
    key = key_of(content=data.content_key(), split=split)
    folder = cached(data.cache / f"nearest-{key}", search)
    copied = [training[row].target for row in np.load(folder / FILE, allow_pickle=False)]
    references = [data.references(split, row) for row in rows]
    return copy_nearest(copied, references, data.target_tokenizer.lower, data.bleu_tokenizer.name)
