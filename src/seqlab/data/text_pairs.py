"""Datasets of text pairs: tokenizers learnt from the training split, token ids cached."""

from __future__ import annotations

import functools
import json
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from seqlab.data.batch import Examples, Ragged
from seqlab.data.cache import cached, key_of
from seqlab.data.module import SequenceData
from seqlab.errors import InputError
from seqlab.identity import fingerprint
from seqlab.kinds import EVERYTHING
from seqlab.text.forms import formed, pair_form
from seqlab.text.languages import BleuTokenizer, bleu_tokenizer, check_bleu_tokenizer
from seqlab.text.pairs import Pair
from seqlab.text.tokenizers import Fit, Tokenizer, fit_settings, from_json, to_json


class TextPairs(SequenceData):
    """Base of datasets of text pairs. A subclass implements `pairs`, and `fingerprint` if it reads large files.

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
        self._texts: dict[str, list[tuple[str, list[str]]]] = {}
        self.reading_remarks: list[str] = []

    @abstractmethod
    def pairs(self) -> dict[str, list[Pair]]:
        """The pairs of each split (val and test may be missing).

        Lines that it appends to `reading_remarks` are printed before training, also when the cache has the pairs.
        """

    def fingerprint(self) -> dict[str, Any]:
        """Everything that decides what `pairs` returns, ready for JSON: it becomes the key of the cache.

        By default the pairs themselves; a subclass that reads a large file returns the file's hash and its settings
        instead.
        """
        return {split: [(p.source, p.target, *p.alternatives) for p in pairs] for split, pairs in self.pairs().items()}

    def known_translations(self) -> dict[str, list[str]]:
        """Acceptable targets of a source beyond those of its split; none by default."""
        return {}

    def prepare_data(self) -> None:
        """Fits the tokenizers and encodes all pairs, unless the cache has them. Idempotent."""
        _ = self._folder

    def load(self) -> None:
        """Reads examples, texts and tokenizers from the cache."""
        folder = self._folder
        meta = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
        self.reading_remarks = meta["remarks"]
        self.source_tokenizer, self.target_tokenizer = (from_json(t, EVERYTHING) for t in meta["tokenizers"])
        self._texts = {split: [(s, refs) for s, refs in rows] for split, rows in meta["texts"].items()}
        with np.load(folder / "ids.npz", allow_pickle=False) as ids:
            self.examples = {
                split: Examples(
                    *(
                        Ragged(ids[f"{split}/{side}/values"], ids[f"{split}/{side}/offsets"])
                        for side in ("source", "target")
                    )
                )
                for split in self._texts
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
        key = key_of(data=self._described, **settings)
        return cached(self.cache / f"{type(self).__name__.lower()}-{key}", self._build)

    def _build(self, folder: Path) -> None:
        splits = {split: [self._formed(pair) for pair in pairs] for split, pairs in self.pairs().items() if pairs}
        if "train" not in splits:
            raise InputError(f"{self.describe()}: no training pairs are left")
        source, target = self._tokenizers(splits["train"])
        arrays = {}
        for split, pairs in splits.items():
            examples = Examples.of((source.encode(p.source), target.encode(p.target)) for p in pairs)
            for side, ragged in (("source", examples.source), ("target", examples.target)):
                arrays[f"{split}/{side}/values"], arrays[f"{split}/{side}/offsets"] = (
                    ragged.values,
                    ragged.offsets,
                )
        np.savez(folder / "ids.npz", allow_pickle=False, **arrays)
        of_source, of_target = self._forms
        known: dict[str, list[str]] = {}
        for text, translations in self.known_translations().items():
            known.setdefault(formed(text, of_source), []).extend(formed(one, of_target) for one in translations)
        texts = {split: _with_references(pairs, known, self.groups_references) for split, pairs in splits.items()}
        tokenizers = [to_json(source), to_json(target)]
        meta = {"tokenizers": tokenizers, "texts": texts, "remarks": self.reading_remarks}
        (folder / "texts.json").write_text(json.dumps(meta, ensure_ascii=False), encoding="utf-8")

    def _tokenizers(self, pairs: list[Pair]) -> tuple[Tokenizer, Tokenizer]:
        sources, targets = [pair.source for pair in pairs], [pair.target for pair in pairs]
        if self._shared_vocabulary:
            source = target = self._fit([*sources, *targets])
        else:
            source, target = self._fit(sources), self._fit(targets)
        source.form, target.form = self._forms
        return source, target

    def _formed(self, pair: Pair) -> Pair:
        of_source, of_target = self._forms
        alternatives = tuple(formed(text, of_target) for text in pair.alternatives)
        return Pair(formed(pair.source, of_source), formed(pair.target, of_target), alternatives)

    def source_text(self, split: str, row: int) -> str:
        return self._texts[split][row][0]

    def references(self, split: str, row: int) -> Sequence[str]:
        return self._texts[split][row][1]

    @functools.cached_property
    def bleu_tokenizer(self) -> BleuTokenizer:
        """The tokenizer of sacrebleu that BLEU is computed with."""
        if self._bleu_tokenizer is not None:
            return BleuTokenizer(self._bleu_tokenizer)
        targets = (references[0] for _, references in self._texts["train"])
        return bleu_tokenizer(self.target_language, targets, self.named_by_file)

    def training_pairs(self) -> list[Pair]:
        """The training split as text."""
        return [Pair(source, references[0]) for source, references in self._texts["train"]]

    def rows_to_generate(self, split: str) -> np.ndarray:
        if not self.groups_references:
            return super().rows_to_generate(split)
        sources = [source for source, _ in self._texts[split]]
        first = np.zeros(len(sources), dtype=bool)
        first[np.unique(sources, return_index=True)[1]] = True
        return first


def _with_references(pairs: list[Pair], known: dict[str, list[str]], grouped: bool) -> list[tuple[str, list[str]]]:
    """The source of each pair with its references: the pair's target, then, if `grouped`, other targets of this source
    in the split, then those in `known`.
    """
    others: dict[str, list[str]] = {pair.source: [] for pair in pairs}
    for pair in pairs if grouped else []:
        others[pair.source] += [pair.target, *pair.alternatives]
    return [
        (
            pair.source,
            list(dict.fromkeys([pair.target, *pair.alternatives, *others[pair.source], *known.get(pair.source, [])])),
        )
        for pair in pairs
    ]
