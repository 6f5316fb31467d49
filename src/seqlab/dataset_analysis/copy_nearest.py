"""The copy-nearest baseline of a dataset of texts. The nearest sources are searched once and cached."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from seqlab.data.cache import cached, key_of
from seqlab.data.text_pairs import TextPairs
from seqlab.metrics.baselines import copy_nearest, nearest
from seqlab.text.tokenizers import matches_one

log = logging.getLogger(__name__)
FILE = "nearest.npy"
ANSWERED, KNOWN = 20_000, 250_000
"""At most so many sources are answered, with the targets of at most so many training pairs, both evenly spread."""


def copy_nearest_of(data: TextPairs, split: str) -> dict[str, float]:
    """`copy_nearest` on the rows of a split that a model is evaluated on (`rows_to_generate`).

    Of a large dataset it is measured on a sample, with a warning.
    """
    rows = data.rows_to_generate(split).nonzero()[0].tolist()
    training, all_rows = data.training_pairs(KNOWN), len(rows)
    rows = rows[:: max(1, -(-all_rows // ANSWERED))]
    if len(rows) < all_rows or len(training) < len(data.examples["train"]):
        log.warning(
            "copy_nearest is measured on %d of %d sources of %s, with %d of %d training pairs",
            *(len(rows), all_rows, split, len(training), len(data.examples["train"])),
        )

    def search(folder: Path) -> None:
        indices = nearest([data.source_text(split, row) for row in rows], [pair.source for pair in training])
        np.save(folder / FILE, np.array(indices, dtype=np.int64), allow_pickle=False)

    # Only the slow search is cached. The metrics are not, because they gather the rows of all processes: none may skip
    # them.
    key = key_of(content=data.content_key(), split=split)
    folder = cached(data.cache / f"nearest-{key}", search)
    copied = [training[row].target for row in np.load(folder / FILE, allow_pickle=False)]
    references = [data.references(split, row) for row in rows]
    matches = [
        matches_one(data.target_tokenizer, output, accepted)
        for output, accepted in zip(copied, references, strict=True)
    ]
    return copy_nearest(copied, references, matches, data.target_tokenizer.lower, data.bleu_tokenizer.name)
