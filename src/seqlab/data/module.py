"""What all datasets share: splits of examples, tokenizers, loaders."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import LightningDataModule

from seqlab.checks import check_sizes
from seqlab.data.batch import SPLITS, Boundaries, Rows
from seqlab.data.loader import BatchLoader, BucketSampler, Sampler
from seqlab.data.passages import Passages, passages_of
from seqlab.identity import fingerprint
from seqlab.special_tokens import BOS, EOS, PAD
from seqlab.text.tokenizers import Tokenizer, to_json


def data_of(trainer: Any) -> SequenceData:
    """The dataset that a trainer works on."""
    return trainer.datamodule


class SequenceData(LightningDataModule):
    """Base of every dataset. A subclass fills `examples` and the two tokenizers in `load`.

    Where `has_bos_eos` is true, targets run from BOS to EOS: outputs can be generated from a source and compared. Where
    it is false, targets are blocks of a stream, and a model can only continue the beginning of one. In a stream BOS and
    EOS may enclose every part of the text: `boundaries` says which parts ("sentence", "document", "none").

    Args:
        batch_size: examples a training batch, at most.
        batch_tokens: padded positions of the longer side a training batch, at most; None for no such limit.
        pool: training batches whose examples are drawn together and then sorted by length; None takes the whole
            split as one pool (least padding), 1 makes every batch a random one.
        eval_batch_size: examples a batch when measuring.
        order_seed: of the order of training batches.
        cache: folder for what `prepare_data` computes.

    Attributes:
        settled: arguments whose default depends on what there is today, as they were taken, in plain words: a run
            keeps to them.

    Raises:
        ValueError: a size below 1, or pools together with a limit of tokens.
    """

    has_bos_eos = True
    boundaries: Boundaries = "none"

    def __init__(
        self,
        batch_size: int = 64,
        batch_tokens: int | None = None,
        pool: int | None = None,
        eval_batch_size: int = 256,
        order_seed: int = 0,
        cache: str | Path = "outputs/cache",
    ) -> None:
        super().__init__()
        check_sizes(batch_size=batch_size, batch_tokens=batch_tokens, pool=pool, eval_batch_size=eval_batch_size)
        if pool is not None and batch_tokens is not None:
            raise ValueError(f"pool must be null where batch_tokens ({batch_tokens}) is set, but is {pool}")
        self.batch_size, self.batch_tokens, self.pool = batch_size, batch_tokens, pool
        self.eval_batch_size = eval_batch_size
        self.order_seed, self.cache = order_seed, Path(cache)
        self.settled: dict[str, str] = {}
        self.examples: dict[str, Rows] = {}
        self._training: BatchLoader | None = None
        self._resumed_at = 0
        self.source_tokenizer: Tokenizer
        self.target_tokenizer: Tokenizer

    @abstractmethod
    def load(self) -> None:
        """Sets `examples` (by split; all but train may be missing), `source_tokenizer` and `target_tokenizer`."""

    def setup(self, stage: str) -> None:
        """Loads the splits, once, whatever the stage."""
        if not self.examples:
            self.load()

    @property
    def source_size(self) -> int:
        """Number of source ids."""
        return self.source_tokenizer.size

    @property
    def target_size(self) -> int:
        """Number of target ids."""
        return self.target_tokenizer.size

    @property
    def longest_target(self) -> int:
        """The longest target of all splits, EOS included: the default limit of generation."""
        return max(examples.longest_target for examples in self.examples.values())

    @property
    def longest_source(self) -> int:
        """The longest source of all splits."""
        return max(examples.longest_source for examples in self.examples.values())

    @property
    def filler(self) -> int | None:
        """The id of a symbol that only fills up targets, if the dataset has one."""
        return None

    @property
    def splits(self) -> list[str]:
        """The splits that there are, in the order of `SPLITS`."""
        return [split for split in SPLITS if split in self.examples]

    def tokens_per_byte(self, split: str) -> float | None:
        """Target tokens that the measured rows ask for, a UTF-8 byte of their text.

        Losses a token become bits a byte by it, which compare across vocabularies. None where tokens do not stand for
        all of the text.
        """
        return None

    def describe(self) -> str:
        """One line on where the examples come from."""
        return type(self).__name__

    def licence(self) -> str:
        """Whose terms a model that learnt from the examples may be bound by, for its card."""
        return "that of the files it was read from"

    def remarks(self) -> list[str]:
        """Lines of a dataset's own for `seqlab-describe`: what was read and what was left out, say."""
        return []

    def source_text(self, split: str, row: int) -> str:
        """The source of an example, as text."""
        return self.source_tokenizer.decode(self.examples[split].source_ids(row).tolist())

    def references(self, split: str, row: int) -> Sequence[str]:
        """The acceptable targets of an example, its own first."""
        return [self.target_tokenizer.decode(self.examples[split].target_ids(row).tolist())]

    def passages(self, split: str) -> Iterator[Mapping[str, Passages]]:
        """A split as text that streams past: by side, a part that fits in memory at a time.

        Sides are named in the plural. Where there are several, sentence n of one belongs to sentence n of the others.
        """
        examples, marks = self.examples[split], self.special_ids
        sides = {}
        if examples.longest_source:
            source = functools.partial(self.source_text, split)
            sides["sources"] = passages_of(examples.source_ids, len(examples), source, marks)
        target = functools.partial(self._target_text, split)
        sides["targets"] = passages_of(examples.target_ids, len(examples), target, marks)
        for parts in zip(*sides.values(), strict=True):
            yield dict(zip(sides, parts, strict=True))

    def _target_text(self, split: str, row: int) -> str:
        return self.references(split, row)[0]

    @property
    def special_ids(self) -> set[int]:
        """The ids of target and source that only frame or fill them."""
        return {PAD, BOS, EOS} | ({self.filler} if self.filler is not None else set())

    def content_key(self) -> str:
        """A hash of what `passages` gives, for files computed from it; by default of all ids and what they mean."""
        return fingerprint(self.identity())

    def identity(self) -> dict[str, Any]:
        """What a run compares before it goes on with this data: hashes of what the ids mean and of the ids themselves.

        Whatever seqlab's code is at the time, equal content gives equal hashes. `files` is that of the files which the
        examples were read from; None where there are none.
        """
        return {
            "kind": type(self).__qualname__,
            "vocabularies": fingerprint([to_json(self.source_tokenizer), to_json(self.target_tokenizer)]),
            "splits": {split: self.examples[split].fingerprint() for split in self.splits},
            "files": self.files_fingerprint(),
        }

    def files_fingerprint(self) -> str | None:
        """A short hash of the content of the files that the examples were read from; None where there are none."""
        return None

    def rows_to_generate(self, split: str) -> np.ndarray:
        """Which rows of a split are generated from when measuring: all (n,), unless a dataset takes a source once."""
        return np.ones(len(self.examples[split]), dtype=bool)

    def eval_rows(self, split: str) -> np.ndarray:
        """The rows of a split that are measured after training.

        All of them, but for training examples: there an even sample, no larger than the validation split.
        """
        rows = np.arange(len(self.examples[split]))
        if split == "train" and "val" in self.examples:
            rows = rows[:: max(1, -(-len(rows) // max(1, len(self.examples["val"]))))]
        return rows

    def training_batches(self) -> BatchLoader:
        """Bucketed, shuffled batches of the training split."""
        return self._loader("train", self.batch_size, self.batch_tokens, self.order_seed, pool=self.pool)

    def train_dataloader(self) -> BatchLoader:
        """The training batches, from where a resumed run stopped."""
        self._training = self.training_batches()
        self._training.resume_at(self._resumed_at)
        self._resumed_at = 0
        return self._training

    def state_dict(self) -> dict[str, Any]:
        """How far into an epoch training is.

        Lightning would keep a loader's own state, but loses it when a scheduler asks for the number of steps: that
        builds the loaders before the checkpoint is read.
        """
        if self._training is None:
            return {"position": self._resumed_at}
        # Where only a part of the batches is asked for, an epoch ends before the loader does.
        return {"position": 0 if self.trainer and self.trainer.is_last_batch else self._training.position}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes up the position for the loader that training will ask for."""
        self._resumed_at = state_dict["position"]

    def val_dataloader(self) -> list[BatchLoader]:
        """The whole validation splits (an empty list if there is none)."""
        return [self._loader(split, self.eval_batch_size) for split in ("val", "val_other") if split in self.examples]

    def evaluation_loader(self, split: str) -> BatchLoader:
        """The measured rows of any split."""
        return self._loader(split, self.eval_batch_size, among=self.eval_rows(split))

    def _loader(
        self,
        split: str,
        batch_size: int,
        batch_tokens: int | None = None,
        seed: int | None = None,
        among: np.ndarray | None = None,
        pool: int | None = None,
    ) -> BatchLoader:
        examples = self.examples[split]
        lengths = examples.lengths(np.arange(len(examples)))
        return self._batches(split, examples, BucketSampler(lengths, batch_size, batch_tokens, seed, among, pool))

    def _batches(self, split: str, examples: Rows, sampler: Sampler) -> BatchLoader:
        """This process's share of the batches."""
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        return BatchLoader(split, examples, sampler, rank, world_size)
