"""Metrics of what a model says on its own: of token ids, and of text.

B batch, L longest output, T longest target.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torchmetrics import MeanMetric, SumMetric
from torchmetrics.classification import MulticlassAccuracy
from torchmetrics.text import CHRFScore, EditDistance, SacreBLEUScore

from seqlab.symbols import EOS, PAD


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
        self.edits, self.symbols = EditDistance(reduction="sum"), SumMetric()

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
        # A dynamic program a row, in Python: only rows that differ need it.
        self.edits.update(_strings(output[wrong]), _strings(target[wrong]))

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


class TextMetrics(nn.Module):
    """Corpus BLEU (Papineni et al. 2002) and chrF (Popović 2015), 0 to 100, as sacrebleu defines them.

    Each output is held against all its references; `exact_match` is the share of outputs that are one of them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bleu = SacreBLEUScore(tokenize="13a")
        self.chrf = CHRFScore(n_char_order=6, n_word_order=0, beta=2.0)
        self.exact_match = MeanMetric()
        self._reference_counts: set[int] = set()

    def update(self, outputs: Sequence[str], references: Sequence[Sequence[str]], matches: Sequence[bool]) -> None:
        """Adds outputs and, for each, its references and whether it is one of them."""
        self.exact_match.update(torch.tensor(matches, dtype=torch.float))
        self.bleu.update(outputs, references)
        self.chrf.update(outputs, references)
        self._reference_counts.update(len(own) for own in references)

    def compute(self) -> dict[str, float]:
        """All metrics, by name."""
        return {
            "bleu": 100 * float(self.bleu.compute()),
            "chrf": 100 * float(torch.as_tensor(self.chrf.compute())),
            "exact_match": float(self.exact_match.compute()),
        }

    def signatures(self) -> dict[str, str]:
        """sacrebleu's own signature of each metric under these settings."""
        import sacrebleu

        metrics = {"bleu": sacrebleu.BLEU(tokenize="13a", smooth_method="none"), "chrf": sacrebleu.CHRF()}
        for metric in metrics.values():  # -1 is sacrebleu's sign for a varying number
            metric.num_refs = self._reference_counts.copy().pop() if len(self._reference_counts) == 1 else -1
        return {name: str(metric.get_signature()) for name, metric in metrics.items()}


def _widen(ids: Tensor, width: int) -> Tensor:
    return nn.functional.pad(ids, (0, width - ids.size(1)), value=PAD)


def _without(target: Tensor, symbol: int) -> Tensor:
    return target.masked_fill(target == symbol, PAD)


def _strings(ids: Int[Tensor, "B L"]) -> list[str]:
    """Each row as a string of one character an id (from a private plane), so that edits of ids are edits of text."""
    first = 0xF0000
    return ["".join(chr(first + i) for i in row if i != PAD) for row in ids.tolist()]
