"""Reads and cleans documents, and keeps the cleaned texts in the cache."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from tqdm import tqdm

from hydra_pruning_sweeper.messages import plural
from seqlab.data.cache import cached, key_of
from seqlab.errors import InputError
from seqlab.text.documents import Cleaned, Cleaning, Collection, Document, Limits, read_documents

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Corpus:
    """The documents that were read, their cleaned texts (cached in `folder`), and the report of the cleaning."""

    folder: Path
    collection: Collection
    documents: tuple[Document, ...]
    cleaning: str

    @property
    def characters(self) -> int:
        """Total length of the cleaned texts."""
        return sum(document.characters for document in self.documents)


def read_corpus(
    path: Path, cleaning: Cleaning, include: Sequence[str], cache: Path, limits: Limits | None = None
) -> Corpus:
    """The cleaned documents at `path` whose names match one of the patterns `include` (without patterns, all).

    Raises:
        InputError: nothing can be read, a pattern matches no name, or nothing is left after cleaning.
    """
    collection = read_documents(path, cache, limits=limits)
    if include:
        collection = _included(collection, include)
    return clean_corpus(collection, cleaning, cache)


def clean_corpus(collection: Collection, cleaning: Cleaning, cache: Path) -> Corpus:
    """The cleaned documents of a collection; what could not be read is warned of, also when the cache has them.

    Raises:
        InputError: nothing is left after cleaning.
    """
    if collection.troubles():
        log.warning("%s: %s", collection.path, collection.summary())
    key = key_of(collection=collection.fingerprint(), cleaning=asdict(cleaning))
    folder = cached(cache / f"texts-{key}", lambda temporary: _clean(collection, cleaning, temporary))
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    documents = (
        Document(name, folder / f"{i:06}.txt", characters, digest)
        for i, (name, characters, digest) in enumerate(index["documents"])
    )
    return Corpus(folder, collection, tuple(documents), index["cleaning"])


def _included(collection: Collection, patterns: Sequence[str]) -> Collection:
    names = [document.name for document in collection.documents]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise InputError(
                f"data.include: no document in {collection.path} matches {pattern!r}; one is named {names[0]!r}"
            )
    kept = (one for one in collection.documents if any(fnmatchcase(one.name, pattern) for pattern in patterns))
    return replace(collection, documents=tuple(kept))


def _clean(collection: Collection, cleaning: Cleaning, folder: Path) -> None:
    cleaned = Cleaned(collection, cleaning)
    documents: list[tuple[str, int, str]] = []
    total = len(collection.documents)
    for name, paragraphs in tqdm(cleaned, "cleaning", total, unit="file", delay=2, leave=False, disable=None):
        characters, digest = 0, hashlib.sha256()
        with (folder / f"{len(documents):06}.txt").open("wb") as file:
            for paragraph in paragraphs:
                characters += len(paragraph)
                digest.update(data := paragraph.encode())
                file.write(data)
        if characters:
            documents.append((name, characters, digest.hexdigest()))
    if not documents:
        raise InputError(
            f"{collection.path}: cleaning leaves nothing of {plural(len(collection.documents), 'document')}"
        )
    index = {"documents": documents, "cleaning": cleaned.report()}
    (folder / "index.json").write_text(json.dumps(index, ensure_ascii=False), encoding="utf-8")
