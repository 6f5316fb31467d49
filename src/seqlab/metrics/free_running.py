"""Metrics of free-running outputs, which a model generates from its previous outputs: of token ids, and of text.

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

from seqlab.special_tokens import EOS, PAD, UNK
from seqlab.text.tokenizers import words_and_marks

NO_SYMBOL = -1
"""What UNK of an output becomes: an id that no target has."""


class IdMetrics(nn.Module):
    """Token accuracy, exact match and edit distance of generated ids against the target.

    Token accuracy is the share of target symbols (without EOS) that the output has at the same position. If a dataset
    fills up targets with a special symbol (`filler`), `token_accuracy` ignores those positions and
    `token_accuracy_with_filler` counts them like any other. Edit distance is the number of insertions, deletions and
    substitutions per target symbol. UNK in an output is wrong everywhere, also where the target has one: it stands for
    some symbol that the vocabulary lacks, and the output does not say which.

    Args:
        size: size of the target vocabulary.
        filler: the id of that symbol, None if there is none.
    """

    def __init__(self, size: int, filler: int | None = None) -> None:
        super().__init__()
        self.filler = filler
        self.token_accuracy = MulticlassAccuracy(size, average="micro", ignore_index=PAD)
        self.with_filler = MulticlassAccuracy(size, average="micro", ignore_index=PAD)
        self.exact_match = MeanMetric()
        self.edits, self.symbols = SumMetric(), SumMetric()

    def update(self, output: Int[Tensor, "B L"], target: Int[Tensor, "B T"]) -> None:
        """Adds a batch of outputs (without BOS and EOS) and targets (BOS … EOS)."""
        target = target[:, 1:].masked_fill(target[:, 1:] == EOS, PAD)
        width = max(output.size(1), target.size(1))
        output, target = _widen(output, width), _widen(target, width)
        symbols = target != PAD
        known = output.masked_fill(output == UNK, PAD)  # which is in no target where symbols are compared
        self.with_filler.update(known, target)
        self.token_accuracy.update(known, target if self.filler is None else _without(target, self.filler))
        output = output.masked_fill(output == UNK, NO_SYMBOL)
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
    """Corpus BLEU (Papineni et al. 2002) and chrF (Popović 2015), 0 to 100, by sacrebleu with its defaults.

    Each output is compared with all its references; `exact_match` is the share of outputs that equal one of them.
    `token_bleu` is BLEU over lower-cased words and punctuation marks (`words_and_marks`), which tutorials with word
    vocabularies report; it does not depend on the model's tokenizer. chrF is not that of torchmetrics, which does not
    penalise an output that shares nothing with any reference.

    If all references are shorter than the longest n-gram of BLEU (four words), only shorter n-grams count: otherwise
    even a perfect output would have no score.

    Args:
        lower: ignore case in `bleu` and `chrf`, too, for outputs of a lower-casing tokenizer.
        tokenizer: sacrebleu's tokenizer for `bleu`.
    """

    def __init__(self, lower: bool = False, tokenizer: str = "13a") -> None:
        self._lower, self._tokenizer = lower, tokenizer
        self._rows: list[tuple[str, list[str], bool]] = []
        self._signatures: dict[str, str] = {}

    def update(self, outputs: Sequence[str], references: Sequence[Sequence[str]], matches: Sequence[bool]) -> None:
        """Adds outputs, each with its references and whether it equals one of them."""
        for output, accepted, match in zip(outputs, references, matches, strict=True):
            self._rows.append((output, list(accepted), match))

    def compute(self) -> dict[str, float]:
        """All metrics, by name, over the rows of all processes."""
        rows = gathered(self._rows)
        outputs, references = [row[0] for row in rows], [row[1] for row in rows]
        words = [_as_words(output) for output in outputs], [[_as_words(one) for one in row] for row in references]
        metrics = {
            "bleu": (_bleu(references, self._lower, self._tokenizer), outputs, references),
            "chrf": (sacrebleu.CHRF(lowercase=self._lower), outputs, references),
            "token_bleu": (_bleu(words[1], lower=True, tokenizer="none"), *words),
        }
        scores = {
            name: metric.corpus_score(hypotheses, _columns(references)).score
            for name, (metric, hypotheses, references) in metrics.items()
        }
        self._signatures = {name: str(metric.get_signature()) for name, (metric, *_) in metrics.items()}
        return {**scores, "exact_match": sum(row[2] for row in rows) / len(rows)}

    def signatures(self) -> dict[str, str]:
        """sacrebleu's signature of each metric; call `compute` first."""
        return self._signatures


def _bleu(references: Sequence[Sequence[str]], lower: bool, tokenizer: str) -> Any:
    # Without `force`, sacrebleu warns each time that the output of a word tokenizer looks tokenised.
    metric = sacrebleu.BLEU(lowercase=lower, tokenize=tokenizer, force=True)
    if not any(len(metric.tokenizer(one).split()) >= metric.max_ngram_order for row in references for one in row):
        return sacrebleu.BLEU(lowercase=lower, tokenize=tokenizer, force=True, effective_order=True)
    return metric


def _as_words(text: str) -> str:
    return " ".join(words_and_marks(text))


def _columns(references: list[list[str]]) -> Any:
    """References in sacrebleu's order: the first of every output, then the second (None if there is none) …"""
    longest = max(map(len, references))
    return [[row[i] if i < len(row) else None for row in references] for i in range(longest)]


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
