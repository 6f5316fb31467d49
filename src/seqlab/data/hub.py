"""Sentence pairs of data sets of the Hugging Face hub, or of those that lie in a folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra_pruning_sweeper.messages import printable
from seqlab.data.pair_files import SPLIT_WORDS, columns_of
from seqlab.data.split_pairs import SplitPairs
from seqlab.errors import InputError
from seqlab.extras import not_installed
from seqlab.identity import fingerprint
from seqlab.text.column_choice import Column
from seqlab.text.pairs import Pair, pairs_of
from seqlab.text.row_files import RowFile, flattened
from seqlab.text.tokenizers import Fit

log = logging.getLogger(__name__)
SAVED = ("dataset_dict.json", "state.json")
"""Files in a folder that `save_to_disk` of `datasets` wrote."""


class HubPairs(SplitPairs):
    """Pairs of a data set that the library `datasets` reads. Its splits are used; missing ones are taken by source.

    Args:
        name: the data set's name on the hub ("USER/NAME"), or a folder: of Parquet or other files, or written by
            `save_to_disk`.
        subset: the subset (configuration) of a data set that has several.
        source_column: the source's column: its name, with a dot within a structure ("translation.de"). None: guessed.
        target_column: the target's column, or a list of columns: the first is trained on, all are references.

    Raises:
        ValueError: no name, one column without the other, shares or counts out of range.
        InputError: `datasets` is not installed, the data set cannot be had, it has no training split, or a source or a
            target is empty.
    """

    def __init__(
        self,
        tokenizer: Fit,
        name: str | None = None,
        subset: str | None = None,
        source_column: Column | None = None,
        target_column: Column | Sequence[Column] | None = None,
        **selection: Any,
    ) -> None:
        super().__init__(tokenizer, **selection)
        if name is None:
            raise ValueError("name must name a data set (USER/NAME on the hub, or a folder), but is null")
        self.dataset_name, self.subset, self.columns = name, subset, columns_of(source_column, target_column)
        source, target = self.columns.languages
        self.source_language, self.target_language = self.source_language or source, self.target_language or target

    def describe(self) -> str:
        return f"pairs of {Path(self.dataset_name).name or self.dataset_name}" + (
            f" ({self.subset})" if self.subset else ""
        )

    def content(self) -> dict[str, Any]:
        """A hash of all pairs, because the files of a data set on the hub may change under its name."""
        return {split: fingerprint([tuple_of(pair) for pair in pairs]) for split, pairs in self.all_pairs.items()}

    def read(self) -> dict[str, list[Pair]]:
        splits: dict[str, list[Pair]] = {}
        others = []
        for name, rows in self._dataset().items():
            split = SPLIT_WORDS.get(name.lower())
            if split is None or split in splits:
                others.append(name)
                continue
            splits[split], line = pairs_of(HubRows(f"{self.dataset_name}, {name}", rows), self.columns)
            if line is not None and line not in self.reading_remarks:
                self.reading_remarks.append(line)
        if "train" not in splits:
            raise InputError(f"{self.dataset_name}: no split for training; there are {', '.join([*splits, *others])}")
        if others:
            log.warning("%s: splits that are not used: %s", self.dataset_name, ", ".join(others))
        return splits

    def _dataset(self) -> Mapping[str, Any]:
        """The data set's splits.

        Raises:
            InputError: it cannot be had; the message says what to do.
        """
        try:
            import datasets
            import huggingface_hub
        except ModuleNotFoundError as error:
            raise not_installed(error, "data=hub") or error from None
        huggingface_hub.logging.set_verbosity_error()  # without a network it would announce each new try
        folder = Path(self.dataset_name)
        try:
            if any((folder / file).is_file() for file in SAVED):
                found = datasets.load_from_disk(self.dataset_name)
            else:
                found = datasets.load_dataset(self.dataset_name, self.subset)
        except ConnectionError:
            raise InputError(
                f"{self.dataset_name}: the Hugging Face hub cannot be reached, and no such folder is here. With a"
                " network, type the same again; without one, data.name=FOLDER takes Parquet files or what save_to_disk"
                " wrote"
            ) from None
        except Exception as error:  # readers of all formats may raise anything
            reason = printable(" ".join(str(error).split())[:300]) or type(error).__name__
            raise InputError(f"{self.dataset_name}: cannot be read as a data set ({reason})") from None
        return found if isinstance(found, Mapping) else {"train": found}


def tuple_of(pair: Pair) -> tuple[str, ...]:
    """A pair as plain data."""
    return (pair.source, pair.target, *pair.alternatives)


class HubRows(RowFile):
    """The rows of one split of a data set; classes are given by their names.

    Args:
        rows: a `datasets.Dataset`.
    """

    def __init__(self, name: str, rows: Any) -> None:
        self._rows = rows
        self._classes = {key: one.int2str for key, one in rows.features.items() if hasattr(one, "int2str")}
        super().__init__(name, list(_leaves(rows.features)))

    def rows(self, columns: Sequence[int]) -> Iterator[tuple[str, list[Any]]]:
        assert self.names is not None
        chosen = [self.names[column] for column in columns]
        outer = list(dict.fromkeys(name if name in self._rows.features else name.partition(".")[0] for name in chosen))
        for number, row in enumerate(self._rows.select_columns(outer), 1):
            named = {key: self._class_name(key, value) for key, value in row.items()}
            values = dict(flattened(named))
            yield f"{self.name}: row {number}", [values.get(name) for name in chosen]

    def _class_name(self, key: str, value: Any) -> Any:
        return self._classes[key](value) if key in self._classes and value is not None else value


def _leaves(features: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The columns of a data set's features, without lists."""
    for key, feature in features.items():
        if isinstance(feature, Mapping):
            yield from _leaves(feature, f"{prefix}{key}.")
        elif type(feature).__name__ == "Translation":
            yield from (f"{prefix}{key}.{language}" for language in feature.languages)
        elif type(feature).__name__ in ("Value", "ClassLabel"):
            yield f"{prefix}{key}"
