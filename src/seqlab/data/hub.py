"""Sentence pairs of data sets of the Hugging Face hub, or of those that lie in a folder."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra_pruning_sweeper.messages import printable
from seqlab.data.column_pairs import SPLIT_WORDS, ColumnPairs, Tables
from seqlab.errors import InputError
from seqlab.extras import not_installed
from seqlab.identity import fingerprint
from seqlab.text.row_files import RowFile, flattened
from seqlab.text.tokenizers import Fit

log = logging.getLogger(__name__)
SAVED = ("dataset_dict.json", "state.json")
"""Files in a folder that `save_to_disk` of `datasets` wrote."""


class HubPairs(ColumnPairs):
    """Pairs of a data set that the library `datasets` reads. Its splits are used; missing ones are taken by source.

    Args:
        name: the data set's name on the hub ("USER/NAME"), or a folder: of Parquet or other files, or written by
            `save_to_disk`.
        subset: the subset (configuration) of a data set that has several.

    Raises:
        ValueError: no name, one column without the other, shares or counts out of range.
        InputError: `datasets` is not installed, the data set cannot be had, it has no training split, or a source or a
            target is empty.
    """

    def __init__(self, tokenizer: Fit, name: str | None = None, subset: str | None = None, **selection: Any) -> None:
        super().__init__(tokenizer, **selection)
        self.dataset_name, self.subset = checked_name(name), subset
        self.named_languages(*self.columns.languages)

    def describe(self) -> str:
        return f"pairs of {shown_name(self.dataset_name, self.subset)}"

    def content(self) -> dict[str, Any]:
        """What `datasets` knows the rows by: they may change under the data set's name."""
        columns = [self.columns.source, *self.columns.targets]
        return {"columns": columns, **{split: rows.fingerprint() for split, rows in self._rows.items()}}

    def files_fingerprint(self) -> str:
        """A hash of all pairs: a data set that has moved is the same."""
        return fingerprint({name: store.digest for name, store in self._stores.items()})

    def tables(self) -> Tables:
        return {split: [rows.opened] for split, rows in self._rows.items()}

    @functools.cached_property
    def _rows(self) -> dict[str, HubRows]:
        return splits_of(self.dataset_name, self.subset, "data=hub")


def checked_name(name: str | None) -> str:
    """The name of a data set.

    Raises:
        ValueError: there is none.
    """
    if name is None:
        raise ValueError("name must name a data set (USER/NAME on the hub, or a folder), but is null")
    return name


def shown_name(name: str, subset: str | None) -> str:
    """A data set's name as descriptions have it."""
    return (Path(name).name or name) + (f" ({subset})" if subset else "")


def splits_of(name: str, subset: str | None, needed_for: str) -> dict[str, HubRows]:
    """The rows of a data set's splits, of which train is one.

    Raises:
        InputError: `datasets` is not installed, the data set cannot be had, or it has no training split.
    """
    splits: dict[str, HubRows] = {}
    others = []
    for called, rows in _dataset(name, subset, needed_for).items():
        split = SPLIT_WORDS.get(called.lower())
        if split is None or split in splits:
            others.append(called)
        else:
            splits[split] = HubRows(f"{name}, {called}", rows)
    if "train" not in splits:
        raise InputError(f"{name}: no split for training; there are {', '.join([*splits, *others])}")
    if others:
        log.warning("%s: splits that are not used: %s", name, ", ".join(others))
    return splits


def _dataset(name: str, subset: str | None, needed_for: str) -> Mapping[str, Any]:
    """The data set's splits.

    Raises:
        InputError: it cannot be had; the message says what to do.
    """
    try:
        import datasets
        import huggingface_hub
    except ModuleNotFoundError as error:
        raise not_installed(error, needed_for) or error from None
    huggingface_hub.logging.set_verbosity_error()  # without a network it would announce each new try
    try:
        if any((Path(name) / file).is_file() for file in SAVED):
            found = datasets.load_from_disk(name)
        else:
            found = datasets.load_dataset(name, subset)
    except ConnectionError:
        raise InputError(
            f"{name}: the Hugging Face hub cannot be reached, and no such folder is here. With a network, type the same"
            " again; without one, data.name=FOLDER takes Parquet files or what save_to_disk wrote"
        ) from None
    except Exception as error:  # readers of all formats may raise anything
        reason = printable(" ".join(str(error).split())[:300]) or type(error).__name__
        raise InputError(f"{name}: cannot be read as a data set ({reason})") from None
    return found if isinstance(found, Mapping) else {"train": found}


class HubRows(RowFile):
    """The rows of one split of a data set; classes are given by their names.

    Args:
        rows: a `datasets.Dataset`.

    Raises:
        InputError: while rows are read, one has a number that is no class.
    """

    def __init__(self, name: str, rows: Any) -> None:
        self._rows = rows
        self._classes = {key: one.int2str for key, one in rows.features.items() if hasattr(one, "int2str")}
        super().__init__(name, list(_leaves(rows.features)))

    def opened(self) -> RowFile:
        """The rows themselves."""
        return self

    def fingerprint(self) -> str:
        """What `datasets` keeps of all that the rows were computed from; its cache goes by it."""
        return str(self._rows._fingerprint)

    def rows(self, columns: Sequence[int]) -> Iterator[tuple[str, list[Any]]]:
        assert self.names is not None
        chosen = [self.names[column] for column in columns]
        outer = list(dict.fromkeys(name if name in self._rows.features else name.partition(".")[0] for name in chosen))
        for number, row in enumerate(self._rows.select_columns(outer), 1):
            place = f"{self.name}: row {number}"
            values = dict(flattened({key: self._class_name(key, value, place) for key, value in row.items()}))
            yield place, [values.get(name) for name in chosen]

    def _class_name(self, key: str, value: Any, place: str) -> Any:
        if key not in self._classes or value is None:
            return value
        try:
            return self._classes[key](value)
        except ValueError:
            raise InputError(
                f"{place}: {key!r} is {value}, which is no class: a row without a label (remove such rows from the"
                " data set)"
            ) from None


def _leaves(features: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The columns of a data set's features, without lists."""
    for key, feature in features.items():
        if isinstance(feature, Mapping):
            yield from _leaves(feature, f"{prefix}{key}.")
        elif type(feature).__name__ == "Translation":
            yield from (f"{prefix}{key}.{language}" for language in feature.languages)
        elif type(feature).__name__ in ("Value", "ClassLabel"):
            yield f"{prefix}{key}"
