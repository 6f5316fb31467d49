"""Running text: turns a folder of documents into blocks of a stream of tokens."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from seqlab.checks import check_sizes
from seqlab.code_hash import own_source
from seqlab.data.batch import Boundaries, Ragged
from seqlab.data.blocks import Blocks, RandomBlocks, Windows
from seqlab.data.cache import cached, key_of
from seqlab.data.encoding import Counts, write_stream
from seqlab.data.loader import BatchLoader
from seqlab.data.module import SequenceData
from seqlab.data.passages import CHUNK, Passages
from seqlab.data.texts import Runs, Split, Texts
from seqlab.data.token_memmap import Stream
from seqlab.errors import InputError
from seqlab.identity import fingerprint
from seqlab.kinds import EVERYTHING
from seqlab.text.documents import Cleaning, Limits
from seqlab.text.tokenizers import Fit, SentencePieceTokenizer, Tokenizer, fit_settings, from_json, to_json

CONTINUED = 8
"""How many blocks of a split a model has to continue in the generation evaluation."""
UNTOUCHED = Cleaning(normalise=False, front_matter=False, code_fences=False, markup=False, duplicates=False)


class Documents(SequenceData):
    """The documents of a folder, or a single file, as a stream of tokens.

    Training documents are concatenated in random order, and each epoch cuts them into different blocks. Validation text
    is read in order, so that every token of it is a label exactly once. Without `context`, targets are blocks of the
    stream, for language models; with it, targets are chunks of the stream, and sources are the tokens before them.

    Args:
        path: the folder or file.
        split: which part of the text is held out as `val`: random blocks of consecutive sentences (block), random
            documents (document), or the last part (tail). With folder, `val` is the text at `validation_path`, and
            random blocks are held out as `val_other`.
        validation_path: another text; it is `val_other`, except with split=folder.
        val_share: share of the text at `path` that is held out.
        block: length of a held-out block in characters.
        length: number of labels per example.
        stride: tokens from one block of validation to the next; None means `length`. A smaller stride gives the model
            more context for each token, and takes longer.
        context: length of the source in tokens; 0 for blocks without a source.
        boundaries: put BOS and EOS around each sentence, around each document (whose text stays as it is), or nowhere
            (none). The default (null) is sentence, but none if there is context, where EOS ends a chunk.
        fraction: train on this share of the training text, counted from its beginning; the tokenizer is learnt from
            all of it.
        include: patterns for the names of documents below `path`; without a pattern all are read.
        bpe_dropout: probability of skipping a merge of byte-pair encoding in training text (arXiv 1910.13267), so that
            words which validation has in pieces are seen in pieces. Each place of the text is drawn separately, once.
        planted: share of the sentences of `val` that are added to training, to see what leakage does.
        language: two-letter code of the text's language, for splitting it into sentences.
        cleaning: what is dropped first; None drops nothing.
        limits: limits on reading one file; None means the defaults of `Limits`.
        seed: seed of what is held out and of the order of training documents.

    Raises:
        ValueError: settings are out of range or contradict each other.
        InputError: there is nothing to read, or too little text.
    """

    def __init__(
        self,
        tokenizer: Fit,
        path: str | Path | None = None,
        split: Split = "block",
        validation_path: str | Path | None = None,
        val_share: float = 0.1,
        block: int = 5000,
        length: int = 256,
        stride: int | None = None,
        context: int = 0,
        boundaries: Boundaries | None = None,
        fraction: float = 1.0,
        include: tuple[str, ...] = (),
        bpe_dropout: float = 0.0,
        planted: float = 0.0,
        language: str = "en",
        cleaning: Cleaning | None = None,
        limits: Limits | None = None,
        seed: int = 0,
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        check_sizes(length=length, stride=stride)
        if path is None:
            raise ValueError("path must name a folder of documents or a file, but is null")
        if context < 0:
            raise ValueError(f"context must be at least 0, but is {context}")
        if context and boundaries not in (None, "none"):
            raise ValueError(f"boundaries must be none if there is context ({context}), but is {boundaries}")
        if stride and (stride > length or (context and stride < length)):
            limit = "equal to length if there is context" if context else "at most length"
            raise ValueError(f"stride must be {limit} ({length}), but is {stride}")
        if not 0 < fraction <= 1:
            raise ValueError(f"fraction must be above 0 and at most 1, but is {fraction}")
        if not 0 <= bpe_dropout < 1:
            raise ValueError(f"bpe_dropout must be at least 0 and below 1, but is {bpe_dropout}")
        self.path, self.has_bos_eos, self.bpe_dropout = Path(path), context > 0, bpe_dropout
        self.length, self.stride, self.context, self.fraction = length, stride or length, context, fraction
        self.boundaries: Boundaries = boundaries or ("none" if context else "sentence")
        self.texts = self._texts(
            path=self.path,
            validation_path=None if validation_path is None else Path(validation_path),
            cache=self.cache,
            by_sentence=self.boundaries == "sentence",
            split=split,
            val_share=val_share,
            block=block,
            include=include,
            planted=planted,
            language=language,
            cleaning=cleaning or UNTOUCHED,
            limits=limits or Limits(),
            seed=seed,
        )
        self._fit = tokenizer
        self._streams: dict[str, Stream] = {}
        self._counts: dict[str, Counts] = {}

    def _texts(self, **settings: Any) -> Texts:
        """The text of each split, read when it is asked for."""
        return Texts(**settings)

    def _read_from(self) -> str:
        """What the text was read from, in words."""
        count = len(self.texts.corpus.documents)
        return f"{count:,} document{'s' * (count != 1)} in {self.path.name}" if self.path.is_dir() else self.path.name

    def describe(self) -> str:
        files = self._read_from()
        if not self._streams:
            return files
        tokens = {split: len(stream) for split, stream in self._streams.items()} | {"train": len(self._training_text)}
        return f"{files}; tokens {', '.join(f'{count:,} {split}' for split, count in tokens.items())}"

    def prepare_data(self) -> None:
        """Reads and cleans the documents, learns the tokenizer and encodes the text, unless the cache has it."""
        _ = self._folder

    def load(self) -> None:
        """Opens the streams; their tokens stay on disk.

        Raises:
            InputError: a block is longer than the training text.
        """
        index = json.loads((self._folder / "index.json").read_text(encoding="utf-8"))
        self.source_tokenizer = self.target_tokenizer = from_json(index["tokenizer"], EVERYTHING)
        self._counts = {split: Counts(**counts) for split, counts in index["splits"].items()}
        self._streams = {split: Stream(self._folder / split) for split in self._counts}
        train = self._training_text
        if len(train) <= self.length:
            raise InputError(f"data.length must be below the {len(train):,} training tokens, but is {self.length:,}")
        blocks = {
            split: Blocks(stream, self.length, self.context, self.stride) for split, stream in self._streams.items()
        }
        self.examples = {**blocks, "train": Blocks(train, self.length, self.context, self.length)}

    @property
    def _training_text(self) -> Stream:
        """The part of the training text that `fraction` selects."""
        whole = self._streams["train"]
        return whole.first(round(self.fraction * len(whole)))

    @functools.cached_property
    def _folder(self) -> Path:
        """The cache folder; built on first access if it does not exist."""
        settings = {"tokenizer": fit_settings(self._fit), "boundaries": self.boundaries, **self.texts.key()}
        settings |= {"bpe_dropout": self.bpe_dropout, "code": own_source(type(self))}
        return cached(self.cache / f"notes-{key_of(**settings)}", self._build)

    def _build(self, folder: Path) -> None:
        with self._progress("learning the tokenizer") as bar:
            tokenizer = self._fit(_watched(chain.from_iterable(self.texts.runs("train")), bar))
        tokenizer.form = self.texts.form
        counts = {}
        for split in self.texts.splits:
            with self._progress(f"encoding {split}") as bar:
                runs = (_watched(run, bar) for run in self.texts.runs(split))
                counts[split] = write_stream(folder / split, runs, self._cutting(split, tokenizer), self.boundaries)
            if not counts[split].units:
                raise InputError(f"{self.describe()}: no text is left for {split}{self.texts.why_empty(split)}")
        index = {"tokenizer": to_json(tokenizer), "splits": {split: asdict(one) for split, one in counts.items()}}
        (folder / "index.json").write_text(json.dumps(index, ensure_ascii=False), encoding="utf-8")

    def _cutting(self, split: str, tokenizer: Tokenizer) -> Tokenizer:
        """The tokenizer that encodes a split: for training the one with BPE-dropout, if it is set."""
        if split != "train" or not self.bpe_dropout:
            return tokenizer
        if not isinstance(tokenizer, SentencePieceTokenizer):
            raise ValueError("bpe_dropout needs tokenizer=sentencepiece")
        return tokenizer.dropping(self.bpe_dropout, self.texts.seed)

    def _progress(self, what: str) -> tqdm:
        characters = self.texts.corpus.characters
        return tqdm(desc=what, total=characters, unit="char", unit_scale=True, delay=2, leave=False, disable=None)

    def tokens_per_byte(self, split: str) -> float | None:
        """Labels per UTF-8 byte of the text; for training that of all of the text, not of a sample."""
        if not (self.target_tokenizer.lossless and self._counts[split].bytes):
            return None
        tokens = Blocks(self._streams[split], self.length, self.context, self.length).tokens
        return tokens / self._counts[split].bytes

    def remarks(self) -> list[str]:
        return self.texts.reading_report().splitlines()

    def passages(self, split: str) -> Iterator[Mapping[str, Passages]]:
        """Runs of text, several per part; a run that is longer than a part continues in the next."""
        tokens: list[list[int]] = []
        sentences: list[str] = []
        left = len(self._training_text if split == "train" else self._streams[split])
        cutting = self._cutting(split, self.target_tokenizer)
        for units in _pieces(self.texts.runs(split)):
            ids = [self.target_tokenizer.encode(unit) for unit in units]
            streamed = ids if cutting is self.target_tokenizer else [cutting.encode(unit) for unit in units]
            ends = np.cumsum([len(one) + 2 * self.texts.by_sentence for one in streamed])  # with BOS and EOS
            count = int(np.searchsorted(ends, left)) + 1  # up to where the stream ends
            left -= int(ends[-1])
            tokens.append(list(chain.from_iterable(ids[:count])))
            sentences += self.texts.sentences_of(units[:count])
            if len(sentences) >= CHUNK or left <= 0:
                yield {"sentences": Passages(Ragged.of(tokens), sentences)}
                tokens, sentences = [], []
            if left <= 0:
                return
        yield {"sentences": Passages(Ragged.of(tokens), sentences)}

    def files_fingerprint(self) -> str:
        corpora = [corpus for corpus in (self.texts.corpus, self.texts.other_corpus) if corpus is not None]
        return fingerprint([[one.sha256 for one in corpus.documents] for corpus in corpora])

    def content_key(self) -> str:
        return key_of(streams=self._folder.name, fraction=self.fraction)

    def rows_to_generate(self, split: str) -> np.ndarray:
        """A few full-length blocks, evenly spread; with context, all chunks."""
        if self.has_bos_eos:
            return super().rows_to_generate(split)
        rows = self.eval_rows(split)
        lengths = self.examples[split].lengths(rows)
        whole = rows[lengths == lengths.max()]
        chosen = np.zeros(len(self.examples[split]), dtype=bool)
        chosen[whole[np.linspace(0, len(whole) - 1, min(CONTINUED, len(whole)), dtype=int)]] = True
        return chosen

    def _training_batches(self) -> BatchLoader:
        """Blocks anywhere in the training text; `batch_tokens` may make a batch smaller than `batch_size`."""
        windows = Windows(self._training_text, self.length, self.context)
        size = self.batch_size
        if self.batch_tokens is not None:
            size = min(size, max(1, self.batch_tokens // max(windows.longest_source, windows.longest_target + 1)))
        return self._batches("train", windows, RandomBlocks(len(windows.stream), self.length, size, self.order_seed))


def _watched(units: Iterable[str], bar: tqdm) -> Iterator[str]:
    for unit in units:
        bar.update(len(unit))
        yield unit


def _pieces(runs: Runs) -> Iterator[list[str]]:
    """The runs, cut into pieces of at most `CHUNK` units."""
    for run in runs:
        while piece := list(islice(run, CHUNK)):
            yield piece
