"""What is trained on, and by which settings: real data from $SEQLAB_DATA, made-up data of the same shapes without."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from benchmarks.harness import say, silence
from hydra_pruning_sweeper.atomic_files import write_atomically
from seqlab import paths
from seqlab.config.component import Component
from seqlab.data.batch import Batch, Examples
from seqlab.data.loader import BucketSampler
from seqlab.data.module import SequenceData
from seqlab.models.base import Seq2Seq
from seqlab.models.training_module import TrainingModule, trainable
from seqlab.quiet import quiet

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "outputs/cache/bench"

few_rows: int | None = None
"""At most so many examples a batch, and two batches: where it is tried whether a benchmark runs."""


def prepare_process() -> None:
    """Makes this process, which forks those that measure, quiet and fit for it."""
    torch.set_num_threads(1)  # see `isolated`
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    quiet()
    warnings.filterwarnings("ignore", message="enable_nested_tensor")  # torch.nn.Transformer about norms first


def folder() -> Path:
    """Of real data: $SEQLAB_DATA, by default ../shared/data beside the checkout."""
    return Path(os.environ.get("SEQLAB_DATA", ROOT.parent / "shared/data")).resolve()


def settings(*overrides: str) -> DictConfig:
    """What `seqlab-train` makes of a command line."""
    os.environ.setdefault("SEQLAB_DATA", str(folder()))
    with initialize_config_dir(str(paths.config_dir()), version_base="1.3"):
        return compose("train", list(overrides))


def model_of(config: DictConfig, source_size: int, target_size: int) -> TrainingModule:
    """The model of a command line."""
    model: TrainingModule = Component.of(config.model, "model").build(
        Seq2Seq, trainable, source_size=source_size, target_size=target_size
    )
    return model


class MadeUp(SequenceData):
    """A dataset of examples that stand for no text."""

    def __init__(self, examples: dict[str, Any], source_size: int, target_size: int) -> None:
        super().__init__(batch_size=128)
        self.examples, self._sizes = examples, (source_size, target_size)

    def load(self) -> None:
        """Nothing: the examples are there."""

    @property
    def source_size(self) -> int:
        """Number of source ids."""
        return self._sizes[0]

    @property
    def target_size(self) -> int:
        """Number of target ids."""
        return self._sizes[1]


class Pairs:
    """Examples of pairs, the sizes of their vocabularies, and the dataset that `seqlab-train` makes of them."""

    def __init__(
        self,
        name: str,
        splits: dict[str, Any],
        source_size: int,
        target_size: int,
        data: SequenceData | None = None,
    ) -> None:
        self.name, self.source_size, self.target_size = name, source_size, target_size
        self._splits = splits
        self.data = data or MadeUp(splits, source_size, target_size)

    def batches(self, count: int, size: int, sorted_by_length: bool, split: str = "train") -> list[Batch]:
        """So many batches: random ones, as tutorials draw them, or of examples of similar length, as seqlab does."""
        chosen = self._order(size, sorted_by_length, split)[:count]
        return [self._splits[split].batch(rows[:few_rows]) for rows in chosen]

    def in_order(self, split: str, size: int) -> list[Batch]:
        """A whole split as it is measured: sorted by length."""
        examples = self._splits[split]
        sampler = BucketSampler(examples.lengths(np.arange(len(examples))), size)
        return [examples.batch(rows[:few_rows]) for rows in sampler.epoch(0)[: None if few_rows is None else 2]]

    def some(self, split: str, count: int) -> Batch:
        """So many examples, evenly from a whole split."""
        rows = np.linspace(0, len(self._splits[split]) - 1, count).astype(np.int64)
        return self._splits[split].batch(rows)

    def longest(self) -> tuple[int, int]:
        """Tokens of the longest source and target of all splits, frames included."""
        ends = [(own.longest_source, own.longest_target + 1) for own in self._splits.values()]
        sources, targets = zip(*ends, strict=True)
        return max(sources), max(targets)

    def _order(self, size: int, sorted_by_length: bool, split: str) -> list[np.ndarray]:
        examples = self._splits[split]
        lengths = examples.lengths(np.arange(len(examples)))
        return BucketSampler(lengths, size, seed=1, pool=None if sorted_by_length else 1).epoch(0)


@functools.cache
def multi30k() -> Pairs:
    """Multi30k, German to English, lower-cased words that stand at least twice."""
    return _pairs("Multi30k", "multi30k", "experiment=multi30k_bahdanau") or _invented(
        "pairs made up in the shape of Multi30k", (7881, 5948), {"train": 12_800, "test": 1000}, (12.6, 4.2), seed=1
    )


@functools.cache
def anki() -> Pairs:
    """The first 10,000 English–French pairs of Anki by characters, the last fifth held out, as claim K takes them."""
    here = f"data.path={folder()}/anki/fra-eng.zip"
    return _pairs("Anki", "anki/fra-eng.zip", "experiment=anki_char_lstm", here) or _invented(
        "pairs made up in the shape of Anki's", (74, 97), {"train": 8000, "val": 2000}, (15.0, 4.0), seed=2
    )


@functools.cache
def reversal() -> Pairs:
    """JoeyNMT's reversal task: integers 0 to 49, lengths to 25."""
    lengths = ("data.smallest=0", "data.largest=49", "data.max_length=25")
    return _of("integers", settings("data=reversal", *lengths, "data.samples=10000"))


@functools.cache
def shakespeare() -> Pairs:
    """Blocks of 64 characters of Shakespeare, anywhere in it."""
    name = "experiment=shakespeare_char"
    return _pairs("Shakespeare", "tinyshakespeare/input.txt", name) or _of(
        "made-up characters", settings(name, f"data.path={made_up_text(1_000_000)}")
    )


def made_up_text(characters: int) -> Path:
    """A file of so many characters drawn at random out of 65."""
    path = CACHE / f"text_{characters}.txt"
    if not path.is_file():
        alphabet = np.frombuffer(bytes(range(33, 96)) + b" \n", dtype=np.uint8)
        drawn = np.random.default_rng(3).choice(alphabet, characters)
        write_atomically(path, drawn.tobytes().decode("ascii"))
    return path


def _pairs(name: str, path: str, *overrides: str) -> Pairs | None:
    if not (folder() / path).exists():
        say(f"no {path} in {folder()} (set SEQLAB_DATA): made-up data of the same shape instead of {name}")
        return None
    return _of(name, settings(*overrides))


def _of(name: str, config: DictConfig) -> Pairs:
    config.data.cache = str(CACHE)
    data: SequenceData = Component.of(config.data, "data").build(SequenceData)
    with silence():
        data.prepare_data()
        data.setup("fit")
    return Pairs(name, dict(data.examples), data.source_size, data.target_size, data)


def _invented(
    name: str, sizes: tuple[int, int], counts: dict[str, int], lengths: tuple[float, float], seed: int
) -> Pairs:
    generator = np.random.default_rng(seed)

    def sequence(size: int) -> Sequence[int]:
        length = int(np.clip(generator.normal(*lengths), 2, 40))
        return generator.integers(4, size, length).tolist()

    splits = {
        split: Examples.of([(sequence(sizes[0]), sequence(sizes[1])) for _ in range(count)])
        for split, count in counts.items()
    }
    return Pairs(name, splits, *sizes)
