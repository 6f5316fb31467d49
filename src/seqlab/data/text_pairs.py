"""Datasets of text pairs: tokenizers learnt from the training split; texts and token ids in files of the cache."""

from __future__ import annotations

import functools
import json
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from tqdm import tqdm

from seqlab.code_hash import own_source
from seqlab.data.batch import Examples, Ragged
from seqlab.data.cache import cached, key_of
from seqlab.data.module import SequenceData
from seqlab.data.pair_store import CHUNK, POSITIONS, PairStore, write_pairs
from seqlab.data.passages import Passages, passages_between
from seqlab.data.token_memmap import SCANNED, ShardWriter, Stream
from seqlab.errors import InputError
from seqlab.identity import fingerprint
from seqlab.kinds import EVERYTHING
from seqlab.special_tokens import BOS, EOS
from seqlab.text.forms import formed, pair_form
from seqlab.text.languages import BleuTokenizer, bleu_tokenizer, check_bleu_tokenizer
from seqlab.text.pairs import Pair
from seqlab.text.tokenizers import Fit, Tokenizer, fit_settings, from_json, to_json

INDEX = "index.json"


class PairSplit(NamedTuple):
    """The pairs of a split: rows (ascending) of all pairs that were read from the same place."""

    store: PairStore
    rows: Stream

    def __len__(self) -> int:
        return len(self.rows)

    def pair(self, row: int) -> Pair:
        """A pair of the split."""
        [inside] = self.rows[row : row + 1].tolist()
        return self.store[inside]

    def chunks(self) -> Iterator[list[Pair]]:
        """All pairs, a few at a time; what was read does not stay in memory."""
        for start in range(0, len(self.rows), CHUNK):
            yield self.store.read(self.rows[start : start + CHUNK])
            self.rows.release()
            self.store.release()

    def has(self, row: int) -> bool:
        """Whether a row of the store is in the split."""
        at = self.rows.searchsorted(self.rows.dtype.type(row), "left")
        return self.rows[at : at + 1].tolist() == [row]


class TextPairs(SequenceData):
    """Base of datasets of text pairs. A subclass implements `pairs`, and `fingerprint` if it reads large files.

    Pairs are streamed into files of the cache (texts, token ids), which are read as they are needed: memory does not
    grow with their number, but for a few bytes a pair where batches are ordered.

    Args:
        tokenizer: fits a tokenizer to texts, as `CharacterTokenizer.fit` does; called once per side.
        shared_vocabulary: fit one tokenizer to both sides, so that a model may share their embeddings.
        source_language, target_language: language codes ("de", "cmn"); the target's chooses the tokenizer that BLEU is
            computed with. None: by the files' names, unless the script of the targets contradicts them.
        bleu_tokenizer: sacrebleu's name of that tokenizer, to choose it whatever the language.
        normalisation: "NFC" composes characters; "NFKC" also makes wide, narrow and ligated forms the plain ones.
        lower_turkish: lower-case the texts of this side, references included, as in Turkish and Azeri (I becomes ı, İ
            becomes i).

    Raises:
        ValueError: sacrebleu has no such tokenizer, or lacks what the tokenizer needs; or one tokenizer for both sides
            is to lower-case one of them.
    """

    groups_references = True
    """Whether pairs of a split with the same source are evaluated once, with all their targets as references."""

    named_by_file = False
    """Whether the language of the targets is known only from a file's name."""

    def __init__(
        self,
        tokenizer: Fit,
        shared_vocabulary: bool = False,
        source_language: str | None = None,
        target_language: str | None = None,
        bleu_tokenizer: str | None = None,
        normalisation: Literal["NFC", "NFKC"] = "NFC",
        lower_turkish: Literal["source", "target", "both"] | None = None,
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        if bleu_tokenizer is not None:
            check_bleu_tokenizer(bleu_tokenizer)
        if shared_vocabulary and lower_turkish in ("source", "target"):
            raise ValueError(f"lower_turkish must be both or null with shared_vocabulary, but is {lower_turkish}")
        self._forms = [pair_form(normalisation, lower_turkish in (side, "both")) for side in ("source", "target")]
        self._fit, self._shared_vocabulary = tokenizer, shared_vocabulary
        self.source_language, self.target_language = source_language, target_language
        self._bleu_tokenizer = bleu_tokenizer
        self._splits: dict[str, PairSplit] = {}

    @abstractmethod
    def pairs(self) -> Mapping[str, Iterable[Pair]]:
        """The pairs of each split (val and test may be missing); they may be computed as they are asked for.

        Lines that it appends to `reading_remarks` until all pairs were given are printed before training, also when the
        cache has the pairs.
        """

    def fingerprint(self) -> dict[str, Any]:
        """Everything that decides what `pairs` returns, ready for JSON: with the class's own code it
        becomes the key of the cache.

        By default the pairs themselves; a subclass that reads a large file returns the file's hash and its settings
        instead.
        """
        return {split: [(p.source, p.target, *p.alternatives) for p in pairs] for split, pairs in self.pairs().items()}

    def assigned(self, stores: Mapping[str, PairStore]) -> dict[str, tuple[str, np.ndarray]]:
        """The pairs of each split: the name of the store they are in, and a mask of its rows (n,).

        Args:
            stores: what `pairs` returned, without what is empty; by default each is a split.
        """
        return {split: (split, np.ones(len(store), dtype=bool)) for split, store in stores.items()}

    def prepare_data(self) -> None:
        """Fits the tokenizers and encodes all pairs, unless the cache has them. Idempotent."""
        _ = self._folder

    def load(self) -> None:
        """Opens the examples, texts and tokenizers in the cache."""
        folder = self._folder
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        self.reading_remarks = index["remarks"]
        self.source_tokenizer, self.target_tokenizer = (from_json(t, EVERYTHING) for t in index["tokenizers"])
        self._stores = {name: PairStore(folder / "pairs" / name) for name in index["stores"]}
        self._origins = {split: one["store"] for split, one in index["splits"].items()}
        self._splits = _opened(folder, self._stores, self._origins)
        self.examples = {
            split: _examples(folder / "ids" / split, one["fingerprint"]) for split, one in index["splits"].items()
        }

    def remarks(self) -> list[str]:
        return self.reading_remarks

    def content_key(self) -> str:
        return self._folder.name

    def files_fingerprint(self) -> str | None:
        return fingerprint(self._described)

    @functools.cached_property
    def _described(self) -> dict[str, Any]:
        """`fingerprint()`, computed once, because it may read a large file."""
        return self.fingerprint()

    @functools.cached_property
    def _folder(self) -> Path:
        """The cache folder; built on first access if it does not exist."""
        tokenizer = {**fit_settings(self._fit), "shared": self._shared_vocabulary}
        settings = {"tokenizer": tokenizer, "forms": self._forms, "groups_references": self.groups_references}
        key = key_of(data=self._described, code=own_source(type(self)), **settings)
        # Read later, too, from wherever the process is then.
        return cached(self.cache / f"{type(self).__name__.lower()}-{key}", self._build).absolute()

    def _build(self, folder: Path) -> None:
        stores = {}
        for name, pairs in self.pairs().items():
            with _progress(f"reading {name}") as bar:
                if write_pairs(folder / "pairs" / name, map(self._formed, _watched(pairs, bar))):
                    stores[name] = PairStore(folder / "pairs" / name)
        origins = {}
        for split, (name, chosen) in (self.assigned(stores) if stores else {}).items():
            if chosen.any():
                origins[split] = name
                _write_rows(folder / "rows" / split, chosen)
        if "train" not in origins:
            raise InputError(f"{self.describe()}: no training pairs are left")
        splits = _opened(folder, stores, origins)
        source, target = self._tokenizers(splits["train"])
        index: dict[str, Any] = {"tokenizers": [to_json(source), to_json(target)], "stores": list(stores)}
        index["splits"] = {}
        for split, chosen_pairs in splits.items():
            with _progress(f"encoding {split}", len(chosen_pairs)) as bar:
                _write_ids(folder / "ids" / split, _watched_chunks(chosen_pairs, bar), source, target)
            if self.groups_references:
                _write_first_rows(folder / "first" / split, chosen_pairs)
            index["splits"][split] = {
                "store": origins[split],
                "fingerprint": _examples(folder / "ids" / split).fingerprint(),
            }
        index["remarks"] = self.reading_remarks
        (folder / INDEX).write_text(json.dumps(index, ensure_ascii=False), encoding="utf-8")

    def _tokenizers(self, training: PairSplit) -> tuple[Tokenizer, Tokenizer]:
        def texts(side: Literal["source", "target"]) -> Iterator[str]:
            with _progress(f"learning {side} tokens", len(training)) as bar:
                for chunk in _watched_chunks(training, bar):
                    yield from (getattr(pair, side) for pair in chunk)

        if self._shared_vocabulary:
            source = target = self._fit(chain(texts("source"), texts("target")))
        else:
            source, target = self._fit(texts("source")), self._fit(texts("target"))
        source.form, target.form = self._forms
        return source, target

    def _formed(self, pair: Pair) -> Pair:
        of_source, of_target = self._forms
        alternatives = tuple(formed(text, of_target) for text in pair.alternatives)
        return Pair(formed(pair.source, of_source), formed(pair.target, of_target), alternatives)

    def source_text(self, split: str, row: int) -> str:
        return self._splits[split].pair(row).source

    def references(self, split: str, row: int) -> Sequence[str]:
        """The pair's target; then, if `groups_references`, the other targets of this source in the split, and those of
        pairs that were read with it, unless another file of a split has the source, too.
        """
        pairs = self._splits[split]
        pair = pairs.pair(row)
        targets = [pair.target, *pair.alternatives]
        if self.groups_references:
            same = pairs.store.rows_of(pair.source)
            elsewhere = any(
                store.rows_of(pair.source) for name, store in self._stores.items() if name != self._origins[split]
            )
            others = [] if elsewhere else same
            for inside in [*filter(pairs.has, same), *others]:
                other = pairs.store[inside]
                targets += [other.target, *other.alternatives]
        return list(dict.fromkeys(targets))

    @functools.cached_property
    def bleu_tokenizer(self) -> BleuTokenizer:
        """The tokenizer of sacrebleu that BLEU is computed with."""
        if self._bleu_tokenizer is not None:
            return BleuTokenizer(self._bleu_tokenizer)
        targets = (pair.target for chunk in self._splits["train"].chunks() for pair in chunk)
        return bleu_tokenizer(self.target_language, targets, self.named_by_file)

    def training_pairs(self, most: int | None = None) -> list[Pair]:
        """The training split as text: all pairs (None), or at most so many, evenly spread."""
        pairs = self._splits["train"]
        if most is None or len(pairs) <= most:
            return [Pair(pair.source, pair.target) for chunk in pairs.chunks() for pair in chunk]
        spread = (pairs.pair(row) for row in range(0, len(pairs), -(-len(pairs) // most)))
        return [Pair(pair.source, pair.target) for pair in spread]

    def passages(self, split: str) -> Iterator[Mapping[str, Passages]]:
        examples, start = self.examples[split], 0
        assert isinstance(examples, Examples)
        marks = list(self.special_ids)
        for pairs in self._splits[split].chunks():
            stop = start + len(pairs)
            yield {
                name: passages_between(side.between(start, stop), texts, marks)
                for name, side, texts in (
                    ("sources", examples.source, [pair.source for pair in pairs]),
                    ("targets", examples.target, [pair.target for pair in pairs]),
                )
            }
            start = stop
            examples.release()

    def rows_to_generate(self, split: str) -> np.ndarray:
        """Mask (n,) of the first row of each source."""
        if not self.groups_references:
            return super().rows_to_generate(split)
        return Stream(self._folder / "first" / split)[:].astype(bool)


def _progress(what: str, total: int | None = None) -> tqdm:
    return tqdm(desc=what, total=total, unit=" pairs", unit_scale=True, delay=2, leave=False, disable=None)


def _watched(pairs: Iterable[Pair], bar: tqdm) -> Iterator[Pair]:
    for pair in pairs:
        yield pair
        bar.update()


def _watched_chunks(pairs: PairSplit, bar: tqdm) -> Iterator[list[Pair]]:
    for chunk in pairs.chunks():
        yield chunk
        bar.update(len(chunk))


def _opened(folder: Path, stores: Mapping[str, PairStore], origins: Mapping[str, str]) -> dict[str, PairSplit]:
    return {split: PairSplit(stores[name], Stream(folder / "rows" / split)) for split, name in origins.items()}


def _write_rows(folder: Path, chosen: np.ndarray) -> None:
    """Writes the indices of what is true in a mask."""
    with ShardWriter(folder, max(2, len(chosen))) as rows:
        for start in range(0, len(chosen), SCANNED):
            rows.add(start + np.flatnonzero(chosen[start : start + SCANNED]))


def _write_first_rows(folder: Path, pairs: PairSplit) -> None:
    """Writes a mask of the rows of a split whose source is in no row before."""
    inside = np.zeros(len(pairs.store), dtype=bool)
    for part in pairs.rows.scan():
        inside[part] = True
    first = np.zeros(len(inside), dtype=bool)
    for numbers, rows in pairs.store.groups():
        of_split = inside[rows]
        first[rows[of_split][begins(numbers[of_split])]] = True
    with ShardWriter(folder, 2) as mask:
        for part in pairs.rows.scan():
            mask.add(first[part])


def begins(numbers: np.ndarray) -> np.ndarray:
    """Mask (n,) of the numbers that differ from the one before."""
    return np.concatenate([np.ones(min(1, len(numbers)), dtype=bool), numbers[1:] != numbers[:-1]])


def _write_ids(folder: Path, chunks: Iterable[list[Pair]], source: Tokenizer, target: Tokenizer) -> None:
    """Writes the ids of both sides, and where each pair's begin and end."""
    with (
        ShardWriter(folder / "source", source.size) as sources,
        ShardWriter(folder / "source_offsets", POSITIONS) as source_offsets,
        ShardWriter(folder / "target", target.size) as targets,
        ShardWriter(folder / "target_offsets", POSITIONS) as target_offsets,
    ):
        source_offsets.add([0])
        target_offsets.add([0])
        for pairs in chunks:
            _add(sources, source_offsets, [source.encode(pair.source) for pair in pairs])
            _add(targets, target_offsets, [[BOS, *target.encode(pair.target), EOS] for pair in pairs])


def _add(values: ShardWriter, offsets: ShardWriter, sequences: list[list[int]]) -> None:
    lengths = list(map(len, sequences))
    offsets.add(values.length + np.cumsum(lengths))
    values.add(np.fromiter(chain.from_iterable(sequences), np.int64, sum(lengths)))


def _examples(folder: Path, known_fingerprint: str | None = None) -> Examples:
    """The examples that `_write_ids` wrote."""
    source, target = (
        Ragged(Stream(folder / side), Stream(folder / f"{side}_offsets")) for side in ("source", "target")
    )
    return Examples(source, target, known_fingerprint)
