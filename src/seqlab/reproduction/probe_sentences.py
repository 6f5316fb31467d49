"""Translations of a few sentences by a trained model, compared with all translations in a deck of sentence pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seqlab.config.plain import kept_run
from seqlab.inference.bundle import load
from seqlab.reproduction.criteria import ProbeOutput
from seqlab.text.pairs import read_pairs
from seqlab.text.tokenizers import matches_one


def translate_probes(folder: Path, sources: Sequence[str]) -> list[ProbeOutput]:
    """Translates sentences with the model of a finished run whose data are sentence pairs.

    Args:
        folder: the folder of the run.
        sources: the sentences.

    Raises:
        InputError: the run is not finished, or there is no deck at its `data.path`.
    """
    data = kept_run(folder).data
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
