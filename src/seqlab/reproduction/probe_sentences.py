"""What a trained model says of sentences that it is asked to translate, held against all that a deck knows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seqlab.config.plain import kept_data
from seqlab.inference.bundle import load
from seqlab.reproduction.criteria import ProbeOutput
from seqlab.text.pairs import read_pairs
from seqlab.text.tokenizers import matches_one


def ask(folder: Path, sources: Sequence[str]) -> list[ProbeOutput]:
    """Asks the model of a finished run whose data are sentence pairs.

    Raises:
        InputError: no finished run, or no deck at its `data.path`.
    """
    _, data = kept_data(folder)
    known: dict[str, list[str]] = {source: [] for source in sources}
    for pair in read_pairs(Path(str(data.get("path")))):
        if pair.source in known:
            known[pair.source].append(pair.target)
    predictor = load(folder)
    outputs = predictor.predict(sources)
    return [
        ProbeOutput(source, matches_one(predictor.target_tokenizer, output, known[source]), len(known[source]))
        for source, output in zip(sources, outputs, strict=True)
    ]
