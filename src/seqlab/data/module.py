"""The base class of datasets: splits of examples, tokenizers, loaders."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule

from seqlab.checks import check_sizes
from seqlab.data.batch import SPLITS, Batch, Boundaries, Rows
from seqlab.data.loader import BatchLoader, BucketSampler, Sampler
from seqlab.data.passages import Passages, passages_of
from seqlab.identity import fingerprint
from seqlab.renamed import check_dataset_names
from seqlab.special_tokens import BOS, EOS, PAD
from seqlab.text.tokenizers import Tokenizer, to_json


def data_of(trainer: Any) -> SequenceData:
    """The dataset of a trainer."""
    return trainer.datamodule


class SequenceData(LightningDataModule):
    """Base of every dataset. A subclass fills `examples` and the two tokenizers in `load`.

    If `has_bos_eos` is true, targets run from BOS to EOS: outputs can be generated from a source and compared with
    references. If it is false, targets are blocks of a stream, and a model can only continue the beginning of one. In a
    stream, BOS and EOS may enclose parts of the text: `boundaries` says which ("sentence", "document", "none").

    Args:
        batch_size: maximal number of examples per training batch.
        batch_tokens: maximal number of positions per training batch, padding included, on the longer side; None for no
            limit.
        pool: number of training batches whose examples are drawn together and then sorted by length; None makes the
            whole split one pool (least padding), 1 makes every batch a random one.
        eval_batch_size: examples per batch in evaluation.
        order_seed: seed of the order of training batches.
        cache: folder for what `prepare_data` computes.

    Attributes:
        most_shapes: training batches are padded further, so that an epoch has at most so many shapes; None: they are
            not (see `BatchLoader.round_lengths`).
        pinned_arguments: arguments whose default depends on which files exist, with the value that was used: a run
            records them, so that resuming it uses the same.
        reading_remarks: lines "label: text" about what was read, printed before training.

    Raises:
        ValueError: a size below 1, or both `pool` and `batch_tokens`.
    """

    has_bos_eos = True
    boundaries: Boundaries = "none"

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        check_dataset_names(cls)

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
            raise ValueError(f"pool must be null if batch_tokens ({batch_tokens}) is set, but is {pool}")
        self.batch_size, self.batch_tokens, self.pool = batch_size, batch_tokens, pool
        self.eval_batch_size = eval_batch_size
        self.order_seed, self.cache = order_seed, Path(cache)
        self.most_shapes: int | None = None
        self.pinned_arguments: dict[str, str] = {}
        self.examples: dict[str, Rows] = {}
        self.reading_remarks: list[str] = []
        self._training: BatchLoader | None = None
        self._resumed_at = 0
        self.source_tokenizer: Tokenizer
        self.target_tokenizer: Tokenizer

    @abstractmethod
    def load(self) -> None:
        """Sets `examples` (by split; all but train may be missing), `source_tokenizer` and `target_tokenizer`."""

    def setup(self, stage: str) -> None:
        """Loads the splits once, whatever the stage."""
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
        """Length of the longest target of all splits, EOS included: the default limit of generation."""
        return max(examples.longest_target for examples in self.examples.values())

    @property
    def longest_source(self) -> int:
        """Length of the longest source of all splits."""
        return max(examples.longest_source for examples in self.examples.values())

    @property
    def filler(self) -> int | None:
        """The id of a symbol that only fills up targets, if the dataset has one."""
        return None

    @property
    def splits(self) -> list[str]:
        """The splits that exist, in the order of `SPLITS`."""
        return [split for split in SPLITS if split in self.examples]

    def tokens_per_byte(self, split: str) -> float | None:
        """Labels of the evaluated rows per UTF-8 byte of their text; None if tokens do not represent all of the text.

        It converts a loss per token to bits per byte, which can be compared across vocabularies.
        """
        return None

    def describe(self) -> str:
        """One line on where the examples come from."""
        return type(self).__name__

    def licence(self) -> str:
        """The licence of the data, for the card of a model trained on it."""
        return "that of the files it was read from"

    def remarks(self) -> list[str]:
        """Further lines for `seqlab-describe`: for example, what was read and what was skipped."""
        return []

    def source_text(self, split: str, row: int) -> str:
        """The source of an example, as text."""
        return self.source_tokenizer.decode(self.examples[split].source_ids(row).tolist())

    def references(self, split: str, row: int) -> Sequence[str]:
        """The acceptable targets of an example; the first is its target in the data."""
        return [self.target_tokenizer.decode(self.examples[split].target_ids(row).tolist())]

    def passages(self, split: str) -> Iterator[Mapping[str, Passages]]:
        """Streams a split as text, in parts that fit in memory; each part maps the name of a side to its passages.

        Names of sides are plurals ("sources"). If there are several sides, sentence n of one belongs to sentence n of
        the others.
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
        """The ids that only enclose or fill up sources and targets."""
        return {PAD, BOS, EOS} | ({self.filler} if self.filler is not None else set())

    def content_key(self) -> str:
        """A hash of what `passages` yields, as a key for files computed from it; by default of `identity`."""
        return fingerprint(self.identity())

    def identity(self) -> dict[str, Any]:
        """Hashes of the vocabularies and of all ids, which a run compares before it resumes with this data.

        Equal content gives equal hashes in every version of seqlab. `files` is a hash of the files that the examples
        were read from; None if there are none.
        """
        return {
            "kind": type(self).__qualname__,
            "vocabularies": fingerprint([to_json(self.source_tokenizer), to_json(self.target_tokenizer)]),
            "splits": {split: self.examples[split].fingerprint() for split in self.splits},
            "files": self.files_fingerprint(),
        }

    def files_fingerprint(self) -> str | None:
        """A short hash of the content of the files that the examples were read from; None if there are none."""
        return None

    def rows_to_generate(self, split: str) -> np.ndarray:
        """Mask (n,) of the rows that the generation evaluation uses: all, unless a subclass picks some."""
        return np.ones(len(self.examples[split]), dtype=bool)

    def eval_rows(self, split: str) -> np.ndarray:
        """The rows of a split that are evaluated after training.

        All of them, except for the training split: there an evenly spread sample, at most as large as the validation
        split.
        """
        count, step = len(self.examples[split]), 1
        if split == "train" and "val" in self.examples:
            step = max(1, -(-count // max(1, len(self.examples["val"]))))
        return np.arange(0, count, step)

    def training_batches(self) -> BatchLoader:
        """The batches of the training split, padded to few shapes if `most_shapes` is set."""
        batches = self._training_batches()
        if self.most_shapes is not None:
            batches.round_lengths(self.most_shapes)
        return batches

    def _training_batches(self) -> BatchLoader:
        """Bucketed, shuffled batches of the training split."""
        return self._loader("train", self.batch_size, self.batch_tokens, self.order_seed, pool=self.pool)

    def train_dataloader(self) -> BatchLoader:
        """The training batches, from where a resumed run stopped; the same in each epoch with `overfit_batches`."""
        self._training = self.training_batches()
        overfits = self.trainer is not None and self.trainer.overfit_batches > 0  # type: ignore[attr-defined]
        self._training.same_order = overfits
        self._training.resume_at(self._resumed_at)
        self._resumed_at = 0
        return self._training

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """The batch on a device, for Lightning."""
        return batch.to(device)

    def state_dict(self) -> dict[str, Any]:
        """How many batches into the epoch training is.

        The loader does not keep this itself, because Lightning loses the state of loaders when a scheduler needs the
        number of steps: that builds the loaders before the checkpoint is read.
        """
        if self._training is None:
            return {"position": self._resumed_at}
        # With a limit on training batches, the epoch ends before the loader does.
        return {"position": 0 if self.trainer and self.trainer.is_last_batch else self._training.position}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keeps the position for the next training loader."""
        self._resumed_at = state_dict["position"]

    def val_dataloader(self) -> list[BatchLoader]:
        """The whole validation splits (an empty list if there is none)."""
        return [self._loader(split, self.eval_batch_size) for split in ("val", "val_other") if split in self.examples]

    def evaluation_loader(self, split: str) -> BatchLoader:
        """Batches of the rows of a split that are evaluated."""
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
        sampler = BucketSampler(examples.all_lengths(), batch_size, batch_tokens, seed, among, pool)
        return self._batches(split, examples, sampler)

    def _batches(self, split: str, examples: Rows, sampler: Sampler) -> BatchLoader:
        """A loader of this process's share of the batches."""
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        return BatchLoader(split, examples, sampler, rank, world_size)
