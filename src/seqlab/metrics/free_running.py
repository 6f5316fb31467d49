"""Metrics of what a model says on its own: of token ids, and of text.

B batch, L longest output, T longest target.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sacrebleu
import torch
from jaxtyping import Int
from rapidfuzz.distance import Levenshtein
from torch import Tensor, nn
from torchmetrics import MeanMetric, SumMetric
from torchmetrics.classification import MulticlassAccuracy

from seqlab.special_tokens import EOS, PAD
from seqlab.text.tokenizers import words_and_marks


class IdMetrics(nn.Module):
    """Token accuracy, exact match and edit distance of generated ids against the target.

    Token accuracy is the share of target symbols (EOS is none) that stand at their place in the output. Where a
    dataset fills targets up with a symbol of its own (`filler`), `token_accuracy` leaves those positions out and
    `token_accuracy_with_filler` counts them like any other. Edit distance is insertions, deletions and
    substitutions a target symbol.
    """

    def __init__(self, size: int, filler: int | None = None) -> None:
        super().__init__()
        self.filler = filler
        self.token_accuracy = MulticlassAccuracy(size, average="micro", ignore_index=PAD)
        self.with_filler = MulticlassAccuracy(size, average="micro", ignore_index=PAD)
        self.exact_match = MeanMetric()
        self.edits, self.symbols = SumMetric(), SumMetric()

    def update(self, output: Int[Tensor, "B L"], target: Int[Tensor, "B T"]) -> None:
        """Adds a batch of outputs (unframed) and targets (BOS … EOS)."""
        target = target[:, 1:].masked_fill(target[:, 1:] == EOS, PAD)
        width = max(output.size(1), target.size(1))
        output, target = _widen(output, width), _widen(target, width)
        symbols = target != PAD
        self.with_filler.update(output, target)
        self.token_accuracy.update(output, target if self.filler is None else _without(target, self.filler))
        wrong = (output != target).any(dim=1)
        self.exact_match.update((~wrong).float())
        self.symbols.update(symbols.sum())
        pairs = zip(_symbols(output[wrong]), _symbols(target[wrong]), strict=True)
        self.edits.update(sum(Levenshtein.distance(*pair) for pair in pairs))

    def compute(self) -> dict[str, float]:
        """All metrics, by name."""
        values = {
            "token_accuracy": self.token_accuracy.compute(),
            "exact_match": self.exact_match.compute(),
            "edit_distance": self.edits.compute() / self.symbols.compute().clamp(min=1),
        }
        if self.filler is not None:
            values["token_accuracy_with_filler"] = self.with_filler.compute()
        return {name: float(value) for name, value in values.items()}


class TextMetrics:
    """Corpus BLEU (Papineni et al. 2002) and chrF (Popović 2015), 0 to 100, by sacrebleu at its defaults.

    Each output is held against all its references; `exact_match` is the share of outputs that are one of them.
    `token_bleu` is BLEU over lower-cased words and punctuation marks (`words_and_marks`), as tutorials with word
    vocabularies report it, whatever the tokenizer of the model.
    (torchmetrics' chrF is another function: it forgives an output that shares nothing with any reference.)

    Where no reference is as long as an n-gram of BLEU (four words), shorter n-grams are what counts: a perfect output
    would have no score otherwise.

    Args:
        lower: case does not count in `bleu` and `chrf` either, for outputs that have none.
        tokenizer: of sacrebleu, for `bleu`.
    """

    def __init__(self, lower: bool = False, tokenizer: str = "13a") -> None:
        self._lower, self._tokenizer = lower, tokenizer
        self._rows: list[tuple[str, list[str], bool]] = []
        self._signatures: dict[str, str] = {}

    def update(self, outputs: Sequence[str], references: Sequence[Sequence[str]], matches: Sequence[bool]) -> None:
        """Adds outputs and, for each, its references and whether it is one of them."""
        for output, own, match in zip(outputs, references, matches, strict=True):
            self._rows.append((output, list(own), match))

    def compute(self) -> dict[str, float]:
        """All metrics, by name, over the rows of all processes."""
        rows = gathered(self._rows)
        outputs, references = [row[0] for row in rows], [row[1] for row in rows]
        words = [_as_words(output) for output in outputs], [[_as_words(one) for one in own] for own in references]
        metrics = {
            "bleu": (_bleu(references, self._lower, self._tokenizer), outputs, references),
            "chrf": (sacrebleu.CHRF(lowercase=self._lower), outputs, references),
            "token_bleu": (_bleu(words[1], lower=True, tokenizer="none"), *words),
        }
        scores = {name: metric.corpus_score(said, _columns(own)).score for name, (metric, said, own) in metrics.items()}
        self._signatures = {name: str(metric.get_signature()) for name, (metric, *_) in metrics.items()}
        return {**scores, "exact_match": sum(row[2] for row in rows) / len(rows)}

    def signatures(self) -> dict[str, str]:
        """sacrebleu's own signature of each metric; call `compute` first."""
        return self._signatures


def _bleu(references: Sequence[Sequence[str]], lower: bool, tokenizer: str) -> Any:
    # force: a word tokenizer's output may look tokenised; sacrebleu would warn of it each time.
    metric = sacrebleu.BLEU(lowercase=lower, tokenize=tokenizer, force=True)
    if not any(len(metric.tokenizer(one).split()) >= metric.max_ngram_order for own in references for one in own):
        return sacrebleu.BLEU(lowercase=lower, tokenize=tokenizer, force=True, effective_order=True)
    return metric


def _as_words(text: str) -> str:
    return " ".join(words_and_marks(text))


def _columns(references: list[list[str]]) -> Any:
    """References as sacrebleu wants them: the first of every output, then the second (None where there is none) …"""
    longest = max(map(len, references))
    return [[own[i] if i < len(own) else None for own in references] for i in range(longest)]


def gathered(rows: list[Any]) -> list[Any]:
    """The rows of all processes, one process after another."""
    if not torch.distributed.is_initialized():
        return rows
    parts: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(parts, rows)
    return [row for part in parts for row in part]


def _widen(ids: Tensor, width: int) -> Tensor:
    return nn.functional.pad(ids, (0, width - ids.size(1)), value=PAD)


def _without(target: Tensor, symbol: int) -> Tensor:
    return target.masked_fill(target == symbol, PAD)


def _symbols(ids: Int[Tensor, "B L"]) -> list[list[int]]:
    """Each row without its padding."""
    return [[i for i in row if i != PAD] for row in ids.tolist()]
