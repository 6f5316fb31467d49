"""Greedy search over a table of scripted probabilities: no model."""

import functools
from typing import ClassVar

import pytest
import torch

from seqlab.decoding import greedy
from seqlab.symbols import BOS, EOS, PAD

V = 7


class Script:
    """A state that says, row by row, which token is most probable next; it counts the rows it is asked about."""

    asked: ClassVar[list[int]] = []

    def __init__(self, rows, position=0):
        self.rows, self.position = rows, position

    def select(self, rows):
        return Script([self.rows[row] for row in rows.tolist()], self.position)


def step(tokens, state):
    Script.asked.append(len(state.rows))
    logits = torch.zeros(len(state.rows), V)
    logits[:, [PAD, BOS]] = 9.0  # never to be chosen
    for row, script in enumerate(state.rows):
        logits[row, script[state.position]] = 2.0
    return logits, Script(state.rows, state.position + 1)


def search(rows, max_length):
    Script.asked = []
    return greedy(step, Script(rows), torch.full((len(rows),), BOS), max_length=max_length)


def test_rows_end_at_eos_and_leave_the_batch():
    found = search([[4, EOS], [5, 6, 4, EOS], [EOS]], max_length=9)
    assert found.tokens.tolist() == [[4, PAD, PAD], [5, 6, 4], [PAD, PAD, PAD]]
    assert found.lengths.tolist() == [1, 3, 0]
    assert Script.asked == [3, 2, 1, 1]


def test_the_limit_ends_a_row_that_does_not():
    found = search([[4] * 9, [5, EOS]], max_length=3)
    assert found.tokens.tolist() == [[4, 4, 4], [5, PAD, PAD]]
    assert found.lengths.tolist() == [3, 1]


def test_scores_are_log_probabilities_with_eos():
    logits = torch.tensor([9.0, 9.0, 0, 0, 0, 0, 0])
    one = torch.log_softmax(logits.index_fill(0, torch.tensor([4]), 2.0), 0)[4]
    found = search([[4, EOS], [4, 4, 4]], max_length=3)
    torch.testing.assert_close(found.scores, torch.stack([2 * one, 3 * one]))


def test_a_limit_below_one_is_refused():
    with pytest.raises(ValueError, match="max_length must be at least 1, but is 0"):
        functools.partial(greedy, max_length=0)(step, Script([[4]]), torch.tensor([BOS]))
