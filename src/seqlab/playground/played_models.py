"""The models that a page plays with: loaded once, from the runs and bundles that the user named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqlab.folders import bundle_folder
from seqlab.hub_models import PREFIX, HubAddress, fetched
from seqlab.inference.attention_maps import heads_over_source
from seqlab.inference.bundle import load, named_model
from seqlab.inference.predictor import Predictor
from seqlab.kinds import Trust
from seqlab.natural_order import natural
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


def played_models(locations: Sequence[str | Path], trust: Trust) -> list[PlayedModel]:
    """The models of runs and bundles, on this machine or on the hub, and of all that are in a folder that is neither.

    Raises:
        InputError: no model there, or one that cannot be loaded.
    """
    folders = {folder: name for location in locations for folder, name in _named_bundles(location)}
    names = _names(list(folders.values()))
    return [_loaded(name, folder, trust) for name, folder in zip(names, folders, strict=True)]


def _named_bundles(location: str | Path) -> list[tuple[Path, Path]]:
    """The bundles at a location, each with the path that names it: on the hub that of the repository."""
    if isinstance(location, str) and location.startswith(PREFIX):
        address = HubAddress.of(location)
        return [(fetched(address), Path(str(address).removeprefix(PREFIX)))]
    folders = _bundles(Path(location))
    return [(folder, (folder.parent if folder.name == "bundle" else folder).absolute()) for folder in folders]


def _bundles(path: Path) -> list[Path]:
    if path.is_dir() and not any((path / inner / "bundle.json").is_file() for inner in (".", "bundle")):
        inside = sorted((one for one in path.iterdir() if one.is_dir()), key=lambda one: natural(one.name))
        found = [one for one in inside if any((one / inner / "bundle.json").is_file() for inner in (".", "bundle"))]
        if found:
            return [bundle_folder(one) for one in found]
    return [bundle_folder(path)]


def _names(paths: Sequence[Path]) -> list[str]:
    """Short names that tell paths apart: the last part of each, or more of it where that is not enough."""
    parts = [path.parts for path in paths]
    names = [""] * len(paths)
    for count in range(1, max(map(len, parts)) + 1):
        now = ["/".join(one[-count:]) for one in parts]
        once = {name for name, times in Counter(now).items() if times == 1}
        names = [name or (new if new in once else "") for name, new in zip(names, now, strict=True)]
    return names


def _loaded(name: str, folder: Path, trust: Trust) -> PlayedModel:
    predictor = load(folder, trust)
    predictor.source_tokenizer = _for_long_lists(predictor.source_tokenizer)
    predictor.target_tokenizer = _for_long_lists(predictor.target_tokenizer)
    continues = predictor.stream is not None
    heads = heads_over_text(predictor) if continues else heads_over_source(predictor.model)
    kind, settings = named_model(folder)
    data = data_of(folder)
    answer = None if continues else known_answer(data)
    cell = settings.get("cell")
    return PlayedModel(name, f"{kind}, {cell}" if cell else kind, data, predictor, heads, answer, run_of(folder))


def _for_long_lists(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer, without training's limit on the length of a list."""
    if not isinstance(tokenizer, IntegerTokenizer) or tokenizer.fill:
        return tokenizer
    longer = IntegerTokenizer(tokenizer.smallest, tokenizer.largest, max(tokenizer.max_length, LONGEST_LIST))
    longer.form = tokenizer.form
    return longer
