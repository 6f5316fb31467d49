"""The models that a page plays with: loaded once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from seqlab.folders import bundle_folder
from seqlab.inference.attention_maps import heads_over_source
from seqlab.inference.bundle import load, named_model
from seqlab.inference.predictor import Predictor
from seqlab.kinds import Trust
from seqlab.playground.known_answers import KnownAnswer, data_of, known_answer
from seqlab.playground.text_attention import heads_over_text
from seqlab.playground.training_data import run_of
from seqlab.text.tokenizers import IntegerTokenizer, Tokenizer

LONGEST_LIST = 60
"""Integers of a list: more than in training, since one wants to see where a model fails."""


@dataclass(frozen=True)
class PlayedModel:
    """A model with what the page shows of it.

    Args:
        kind: its architecture.
        data: the description of what it was trained on, "" if that is not known.
        heads: for each attention over the source, or a language model's over its text, the number of heads.
        answer: how the right answer to a source is computed; None if it is not known.
        run: the folder of the run that the bundle lies in; None if it lies in none.
    """

    name: str
    kind: str
    data: str
    predictor: Predictor
    heads: Mapping[str, int]
    answer: KnownAnswer | None
    run: Path | None = None


def played_models(folders: Mapping[str, Path], trust: Trust) -> list[PlayedModel]:
    """The models of runs and bundles, by their names (see `named_bundles`).

    Raises:
        InputError: one cannot be loaded.
    """
    return [_loaded(name, folder, trust) for name, folder in folders.items()]


def _loaded(name: str, folder: Path, trust: Trust) -> PlayedModel:
    predictor, bundle = load(folder, trust), bundle_folder(folder)  # of a run, no package in its folder is imported
    predictor.source_tokenizer = _for_long_lists(predictor.source_tokenizer)
    predictor.target_tokenizer = _for_long_lists(predictor.target_tokenizer)
    continues = predictor.stream is not None
    heads = heads_over_text(predictor) if continues else heads_over_source(predictor.model)
    kind, settings = named_model(bundle)
    data = data_of(bundle)
    answer = None if continues else known_answer(data)
    cell = settings.get("cell")
    return PlayedModel(name, f"{kind}, {cell}" if cell else kind, data, predictor, heads, answer, run_of(bundle))


def _for_long_lists(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer, without training's limit on the length of a list."""
    if not isinstance(tokenizer, IntegerTokenizer) or tokenizer.fill:
        return tokenizer
    longer = IntegerTokenizer(tokenizer.smallest, tokenizer.largest, max(tokenizer.max_length, LONGEST_LIST))
    longer.form = tokenizer.form
    return longer
