"""Greedy search: the most probable token at every step.

B rows, V vocabulary, L longest output.
"""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from seqlab.checks import check_sizes
from seqlab.decoding.hypotheses import Hypotheses, Selectable, Step
from seqlab.symbols import BOS, EOS, PAD


def greedy(step: Step, state: Selectable, start: Int[Tensor, " B"], *, max_length: int) -> Hypotheses:
    """Takes the most probable token until each row says EOS or has `max_length` tokens (EOS counts as one).

    Rows that have finished leave the batch. PAD and BOS are never chosen.

    Raises:
        ValueError: `max_length` below 1.
    """
    check_sizes(max_length=max_length)
    count = len(start)
    tokens = start.new_full((count, max_length), PAD)
    lengths = torch.zeros_like(start)
    scores = torch.zeros(count, device=start.device)
    rows, last = torch.arange(count, device=start.device), start
    for position in range(max_length):
        logits, state = step(last, state)
        log_probabilities = logits.float().log_softmax(dim=-1)
        log_probabilities[:, [PAD, BOS]] = -torch.inf
        best, last = log_probabilities.max(dim=-1)
        scores[rows] += best
        going = last != EOS
        if not going.all():
            keep = going.nonzero().squeeze(1)
            if not len(keep):
                break
            rows, last, state = rows[keep], last[keep], state.select(keep)
        tokens[rows, position] = last
        lengths[rows] = position + 1
    return Hypotheses(tokens[:, : int(lengths.max())], lengths, scores)
