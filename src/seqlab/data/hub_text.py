"""Running text of data sets of the Hugging Face hub, or of those that lie in a folder."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from hydra_pruning_sweeper.messages import plural
from seqlab.data.cache import cached, key_of
from seqlab.data.corpus import Corpus, clean_corpus
from seqlab.data.documents import Documents
from seqlab.data.hub import HubRows, checked_name, shown_name, splits_of
from seqlab.data.texts import Texts
from seqlab.errors import InputError
from seqlab.text.documents import ROW_END, Collection, RowDocument, Skipped
from seqlab.text.tokenizers import Fit

FILE = 1 << 20
"""About how many characters of rows are a document: a data set may have as many rows as a text has lines."""
NAMES = ("text", "content", "document")
"""What a column of text is called, where there are others."""
INDEX = "index.json"


class HubText(Documents):
    """The text in one column of a data set that the library `datasets` reads, as a stream of tokens (see `Documents`).

    Each row is a paragraph, or several; its end is the end of a sentence. Of front matter and code between fences each
    row is cleaned by itself. The data set's own validation split is `val`, if it has one, and what is held out of
    training then is `val_other`. Its test split is not read.

    Args:
        name: the data set's name on the hub ("USER/NAME"), or a folder: of Parquet or other files, or written by
            `save_to_disk`.
        subset: the subset (configuration) of a data set that has several.
        column: the column of the text, "answer.text" for one within a structure; None: guessed, and said.
        settings: further settings of `Documents`.

    Raises:
        ValueError: no name, or settings are out of range or contradict each other.
        InputError: `datasets` is not installed, the data set cannot be had, it has no training split, or no such column
            of text.
    """

    def __init__(
        self,
        tokenizer: Fit,
        name: str | None = None,
        subset: str | None = None,
        column: str | None = None,
        **settings: Any,
    ) -> None:
        self.dataset_name, self.subset, self.column = checked_name(name), subset, column
        if settings.get("boundaries") == "document":
            raise ValueError("boundaries must be sentence or none: many rows of a data set are one document")
        super().__init__(tokenizer, path=self.dataset_name, **settings)

    def remarks(self) -> list[str]:
        corpus = self.texts.corpus
        return [*self.reading_remarks, *corpus.collection.troubles(), *corpus.cleaning.splitlines()]

    def load(self) -> None:
        super().load()
        assert isinstance(self.texts, RowTexts)
        self.reading_remarks = self.texts.choice

    def _read_from(self) -> str:
        return f"text of {shown_name(self.dataset_name, self.subset)}"

    def _texts(self, **settings: Any) -> Texts:
        return RowTexts(read=self._rows, column=self.column, **settings)

    def _rows(self) -> dict[str, HubRows]:
        return splits_of(self.dataset_name, self.subset, "data=hub_text")


@dataclass(frozen=True, kw_only=True)
class RowTexts(Texts):
    """The text of each split of a data set. Rows are kept as files of many, of which each is a document.

    Args:
        read: opens the rows of the data set's splits, of which train is one.
        column: see `HubText`.
    """

    read: Callable[[], Mapping[str, HubRows]]
    column: str | None

    @functools.cached_property
    def corpus(self) -> Corpus:
        """The rows for training."""
        return self._corpus("train")

    @functools.cached_property
    def other_corpus(self) -> Corpus | None:
        """The data set's own validation rows, if there are any."""
        return self._corpus("val") if self.validates_on_other else None

    @property
    def validates_on_other(self) -> bool:
        """Whether the data set has validation rows."""
        return "val" in self._tables

    @property
    def choice(self) -> list[str]:
        """A line about the column, if it was guessed."""
        return self._chosen[1]

    @functools.cached_property
    def _tables(self) -> Mapping[str, HubRows]:
        return self.read()

    @functools.cached_property
    def _chosen(self) -> tuple[str, list[str]]:
        return chosen_column(self._tables["train"], self.column)

    def _corpus(self, split: str) -> Corpus:
        rows, (column, _) = self._tables[split], self._chosen
        folder = cached(
            self.cache / f"rows-{key_of(rows=rows.fingerprint(), column=column, file=FILE)}",
            lambda temporary: write_rows(rows, column, temporary),
        )
        return clean_corpus(_collected(folder, rows.name), self.cleaning, self.cache)


def chosen_column(rows: HubRows, column: str | None) -> tuple[str, list[str]]:
    """The column of the text, and a line that says so, if it was guessed.

    Raises:
        InputError: it is not there, or there is none of text, or several of which none is called as text is.
    """
    names = list(rows.names or ())
    listed = ", ".join(map(repr, names))
    if column is not None:
        if column not in names:
            raise InputError(f"{rows.name}: no column {column!r}; there are {listed}")
        return column, []
    first = next((values for _, values in rows.rows(range(len(names)))), [])
    texts = [name for name, value in zip(names, first, strict=bool(first)) if isinstance(value, str)]
    if not texts:
        raise InputError(f"{rows.name}: its first row has no text; there are {listed or 'no columns'}")
    guess = texts[0] if len(texts) == 1 else next((name for name in NAMES if name in texts), None)
    if guess is None:
        several = ", ".join(map(repr, texts))
        raise InputError(f"{rows.name}: several columns of text, {several}; data.column=NAME chooses one")
    others = [repr(name) for name in names if name != guess]
    not_read = f"; not read: {', '.join(others)}" if others else ""
    return guess, [f"column: {guess!r} (guessed; data.column=NAME changes it){not_read}"]


def write_rows(rows: HubRows, column: str, folder: Path) -> None:
    """Writes the texts of a column into `RowDocument` files of about `FILE` characters, listed in `INDEX`.

    Raises:
        InputError: a row has something else than text, or no row can be read.
    """
    count, documents, binary = 0, [], list[str]()
    texts = _texts_of(rows, column, binary)
    for part in _parts(tqdm(texts, "reading rows", unit="row", delay=2, leave=False, disable=None)):
        name, data = f"rows_{count:09}.txt", "".join(f"{text}\n{ROW_END}" for text in part).encode()
        (folder / name).write_bytes(data)
        documents.append((name, sum(len(text) + 2 for text in part), hashlib.sha256(data).hexdigest()))
        count += len(part)
    if not documents:
        reason = "is empty or has a NUL character" if binary else "is empty"
        raise InputError(f"{rows.name}: column {column!r} {reason} in all rows")
    (folder / INDEX).write_text(json.dumps({"documents": documents, "binary": binary}), encoding="utf-8")


def _parts(texts: Iterable[str]) -> Iterator[list[str]]:
    """Consecutive texts, of about `FILE` characters together."""
    part, size = list[str](), 0
    for text in texts:
        part.append(text)
        size += len(text)
        if size >= FILE:
            yield part
            part, size = [], 0
    if part:
        yield part


def _texts_of(rows: HubRows, column: str, binary: list[str]) -> Iterator[str]:
    """The texts that are not empty; appends to `binary` the places of those with a NUL, which are left out."""
    for place, (text,) in rows.rows([list(rows.names or ()).index(column)]):
        if text is not None and not isinstance(text, str):
            raise InputError(f"{place}: {column!r} is no text, but {text!r:.40}")
        if text and "\0" in text:
            binary.append(place)
        elif text and (text := text.strip("\r\n")).strip():
            yield text


def _collected(folder: Path, name: str) -> Collection:
    """What `write_rows` wrote."""
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    documents = tuple(RowDocument(file, folder / file, *known) for file, *known in index["documents"])
    first, *others = index["binary"] or [None]
    more = f" and {plural(len(others), 'more row')}" if others else ""
    skipped = (Skipped(f"{first}{more}", "binary (holds NUL characters)"),) if first else ()
    return Collection(Path(name), documents, skipped)
