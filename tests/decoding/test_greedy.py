"""Greedy search over a table of scripted probabilities: no model."""

from typing import ClassVar

import pytest
import torch

from seqlab.decoding import Greedy
from seqlab.special_tokens import BOS, EOS, PAD

V = 7


class Script:
    """A state with a script of the most probable next tokens per row; it records the rows of each step."""

    step_sizes: ClassVar[list[int]] = []

    def __init__(self, rows, position=0):
        self.rows, self.position = rows, position

    def select(self, rows):
        return Script([self.rows[row] for row in rows.tolist()], self.position)


def step(tokens, state):
    Script.step_sizes.append(len(state.rows))
    logits = torch.zeros(len(state.rows), V)
    logits[:, [PAD, BOS]] = 9.0  # never to be chosen
    for row, script in enumerate(state.rows):
        logits[row, script[state.position]] = 2.0
    return logits, Script(state.rows, state.position + 1)


def search(rows, **settings):
    Script.step_sizes = []
    return Greedy(**settings)(step, Script(rows), torch.full((len(rows),), BOS))


def test_rows_end_at_eos_and_leave_the_batch():
    found = search([[4, EOS], [5, 6, 4, EOS], [EOS]], max_length=9)
    assert found.tokens.tolist() == [[[4, PAD, PAD]], [[5, 6, 4]], [[PAD, PAD, PAD]]]
    assert found.lengths.tolist() == [[1], [3], [0]]
    assert Script.step_sizes == [3, 2, 1, 1]


def test_the_limit_ends_a_row_that_does_not():
    found = search([[4] * 9, [5, EOS]], max_length=3)
    assert found.tokens.tolist() == [[[4, 4, 4]], [[5, PAD, PAD]]]
    assert found.lengths.tolist() == [[3], [1]]


def test_eos_is_blocked_before_min_length():
    found = search([[4, EOS, EOS, 5, EOS], [EOS] * 5], max_length=5, min_length=2)
    assert found.tokens.tolist() == [[[4, 3]], [[3, 3]]]  # of equally probable tokens the one with the lowest id


def test_scores_are_log_probabilities_with_eos():
    logits = torch.tensor([9.0, 9.0, 0, 0, 0, 0, 0])
    one = torch.log_softmax(logits.index_fill(0, torch.tensor([4]), 2.0), 0)[4]
    found = search([[4, EOS], [4, 4, 4]], max_length=3)
    torch.testing.assert_close(found.scores, torch.stack([2 * one, 3 * one])[:, None])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_length": 0}, "max_length must be at least 1, but is 0"),
        ({"max_length": 3, "min_length": -1}, r"min_length must be 0 to max_length \(3\), but is -1"),
        ({"max_length": 3, "min_length": 4}, r"min_length must be 0 to max_length \(3\), but is 4"),
    ],
)
def test_impossible_limits_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Greedy(**settings)
