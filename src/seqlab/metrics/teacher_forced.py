"""Metrics of a model's logits under teacher forcing, where all earlier target tokens are decoder input.

V vocabulary; "*P" is batch and steps, or the positions of a batch without padding.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from seqlab.special_tokens import PAD


class TokenLoss(Metric):
    """Mean cross-entropy per target token, in nats; padding does not count."""

    total: Tensor
    tokens: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("tokens", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, total: Float[Tensor, ""], tokens: Int[Tensor, ""]) -> None:
        """Adds a batch: its `token_loss`, and the number of tokens summed in it."""
        self.total = self.total + total
        self.tokens = self.tokens + tokens

    def compute(self) -> Float[Tensor, ""]:
        """The mean."""
        return self.total / self.tokens.clamp(min=1)


def token_loss(logits: Float[Tensor, "*P V"], target: Int[Tensor, "*P"]) -> Float[Tensor, ""]:
    """Cross-entropy in nats, summed over all target tokens that are not padding."""
    logits = at_least_single(logits.flatten(0, -2))
    return F.cross_entropy(logits, target.flatten(), ignore_index=PAD, reduction="sum")


class TokenPerplexity(TokenLoss):
    """The exponential of `TokenLoss`."""

    def compute(self) -> Float[Tensor, ""]:
        """The perplexity."""
        return super().compute().exp()


class BitsPerByte(TokenLoss):
    """Mean cross-entropy per UTF-8 byte of the text, in bits: log₂ e · tokens per byte · `TokenLoss`.

    Unlike the loss per token, it can be compared across vocabularies.
    """

    def __init__(self, tokens_per_byte: float) -> None:
        super().__init__()
        self.tokens_per_byte = tokens_per_byte

    def compute(self) -> Float[Tensor, ""]:
        """The bits per byte."""
        return super().compute() * (self.tokens_per_byte / math.log(2))


def at_least_single(values: Tensor) -> Tensor:
    """`values` in single precision or better, which sums over a vocabulary need."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


class _Accuracy(MulticlassAccuracy):
    """Accuracy of the most probable token. torchmetrics' own update checks the values and picks those without padding,
    for both of which a GPU's host has to wait.
    """

    tp: Tensor
    fn: Tensor

    def update(self, preds: Float[Tensor, "*P V"], target: Int[Tensor, "*P"]) -> None:
        counted, right = target != PAD, preds.argmax(dim=-1) == target
        self.tp = self.tp + (counted & right).sum()
        self.fn = self.fn + (counted & ~right).sum()


class TeacherForced(MetricCollection):
    """Loss, perplexity and token accuracy without padding; after `measure_bytes` bits per byte, too.

    All of them take UNK for a symbol like any other: they judge a distribution over the vocabulary, of which it is a
    part. (Free-running metrics judge outputs, in which it is never right.)

    Args:
        size: size of the vocabulary.
        prefix: prefix of the metrics' names.
    """

    def __init__(self, size: int, prefix: str) -> None:
        metrics: dict[str, Metric] = {
            "loss": TokenLoss(),
            "perplexity": TokenPerplexity(),
            "token_accuracy": _Accuracy(size, average="micro", ignore_index=PAD),
        }
        super().__init__(metrics, prefix=prefix, compute_groups=False)  # type: ignore[arg-type]

    def measure_bytes(self, tokens_per_byte: float) -> None:
        """Adds bits per byte to the metrics."""
        self.add_metrics({"bits_per_byte": BitsPerByte(tokens_per_byte)})

    def add(self, logits: Float[Tensor, "*P V"], target: Int[Tensor, "*P"]) -> None:
        """Adds a batch; its cross-entropy, the expensive part, is computed once for all metrics."""
        total, tokens = token_loss(logits, target), (target != PAD).sum()
        self.update(preds=logits, target=target, total=total, tokens=tokens)
