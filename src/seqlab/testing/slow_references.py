"""What the contract compares with: random examples and weights, and slow ways to the same logits and scores.

B batch, T decoder input length, V target vocabulary, N outputs of all rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqlab.data.batch import Batch, Examples
from seqlab.layers.state import State
from seqlab.models.base import Seq2Seq
from seqlab.special_tokens import BOS, EOS, PAD, UNK

FIRST_SYMBOL = UNK + 1
"""The lowest id that is no special token."""
DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)


def random_examples(source_size: int, target_size: int) -> Examples:
    """Eleven random pairs of different lengths, 1 among them: sources of up to 5 tokens, targets of up to 7."""
    generator = np.random.default_rng(3)

    def draw(size: int, longest: int) -> list[int]:
        return generator.integers(FIRST_SYMBOL, size, generator.integers(1, longest + 1)).tolist()

    pairs = [(draw(source_size, 5), draw(target_size, 7)) for _ in range(9)]
    return Examples.of([*pairs, ([5], [6]), ([4, 5, 6], [5])])


@torch.no_grad()
def with_random_weights(model: Seq2Seq) -> Seq2Seq:
    """The model in evaluation mode, with weights of a scale at which every part matters.

    An embedding with a `padding_idx` keeps zeros there, as it does in training.
    """
    for parameter in model.parameters():
        parameter.uniform_(-0.7, 0.7)
    for module in model.modules():
        if isinstance(module, nn.Embedding) and module.padding_idx is not None:
            module.weight[module.padding_idx] = 0
    return model.eval()


def training_without_dropout(model: Seq2Seq) -> None:
    """Puts the model in training mode, with dropout 0 in all modules of torch, recurrent and attending ones, too."""
    for module in model.train().modules():
        if isinstance(module, DROPOUTS):
            module.p = 0.0
        elif isinstance(getattr(module, "dropout", None), float):
            module.dropout = 0.0  # type: ignore[assignment]  # of nn.LSTM, nn.MultiheadAttention …, a number


def logits_of(model: Seq2Seq, batch: Batch) -> Tensor:
    """Teacher-forced logits (B, T, V)."""
    logits: Tensor = model(batch.source, batch.source_lengths, batch.decoder_input)
    return logits


def loss_of(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy, summed over all labels but padding."""
    return F.cross_entropy(logits.flatten(0, -2), labels.flatten(), ignore_index=PAD, reduction="sum")


def widened(batch: Batch) -> Batch:
    """The batch with three more positions of padding in its sources and two in its targets."""
    source, target = F.pad(batch.source, (0, 3), value=PAD), F.pad(batch.target, (0, 2), value=PAD)
    return batch._replace(source=source, target=target)


def tensors_of(state: State) -> Iterator[tuple[str, Tensor]]:
    """The tensors that a state holds, with their names; those of states and tuples inside it, too."""
    waiting: list[tuple[str, object]] = [("the state", state)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, Tensor):
            yield name, value
        elif isinstance(value, State):
            fields = (field.name for field in dataclasses.fields(value) if field.name != "packing")
            waiting.extend((field, getattr(value, field)) for field in fields)
        elif isinstance(value, tuple):
            waiting.extend((name, item) for item in value)


def assert_equal(actual: Tensor, expected: Tensor, why: str) -> None:
    """Asserts that two tensors are equal but for rounding; the message begins with what may be wrong."""
    __tracebackhide__ = True
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-10, msg=lambda figures: f"{why}\n{figures}")


def logits_and_gradients(model: Seq2Seq, batch: Batch, real: Tensor | None) -> tuple[Tensor, list[Tensor]]:
    """Logits, of the `real` positions alone if these are given, and the gradients of their loss."""
    logits = model(batch.source, batch.source_lengths, batch.decoder_input, real)
    model.zero_grad()
    loss_of(logits, batch.labels if real is None else batch.labels[real]).backward()
    return logits, [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in model.parameters()]


def teacher_forced_scores(
    model: Seq2Seq, batch: Batch, rows: Sequence[int], outputs: Sequence[Sequence[int]], max_length: int
) -> Tensor:
    """Log-probabilities (N,) of N outputs, each of its row, by teacher forcing, with EOS where there is room for it."""
    framed = [[BOS, *tokens, EOS][: max_length + 1] for tokens in outputs]
    target = torch.tensor([ids + [PAD] * (max_length + 1 - len(ids)) for ids in framed])
    log_probabilities = model(batch.source[rows], batch.source_lengths[rows], target[:, :-1]).log_softmax(-1)
    scores = log_probabilities.gather(-1, target[:, 1:, None]).squeeze(-1)
    return scores.masked_fill(target[:, 1:] == PAD, 0.0).sum(1)


def reread_scores(model: Seq2Seq, batch: Batch, texts: Tensor, given: int, window: int) -> Tensor:
    """Log-probabilities (B,) of what follows the first `given` tokens of each text, with its window read anew.

    Where the window is full, half of it is kept; a model that does not count positions needs none. Until then one
    reading gives the logits after each token: that later tokens leave them as they are has a test of its own.
    """
    scores, ends = torch.zeros(len(texts)), list(range(given, texts.size(1)))
    starts, start = [], max(0, given - window) if model.positional else 0
    for end in ends:
        if model.positional and end - start > window:
            start = end - window // 2
        starts.append(start)
    for start in sorted(set(starts)):
        predicted = torch.tensor([end for end, own in zip(ends, starts, strict=True) if own == start])
        logits = model(batch.source, batch.source_lengths, texts[:, start : predicted[-1]])[:, predicted - start - 1]
        scores += logits.log_softmax(-1).gather(-1, texts[:, predicted, None]).sum((1, 2))
    return scores
