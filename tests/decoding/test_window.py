"""A window over a decoder that keeps account of what it reads."""

import pytest
import torch

from seqlab.decoding import Beam, Greedy, Window
from seqlab.decoding.window import tokens_held


class Reader:
    """A decoder whose state is all that it has read; the next token is the number of tokens in it. It counts reads."""

    def __init__(self):
        self.reads = []

    def __call__(self, tokens, state):
        self.reads.append(tokens.size(1))
        read = Text(torch.cat([state.tokens, tokens], dim=1))
        logits = torch.zeros(*tokens.shape, 40)
        logits[..., read.tokens.size(1) + 4] = 9.0
        return logits, read


class Text:
    def __init__(self, tokens):
        self.tokens = tokens

    def select(self, rows):
        return Text(self.tokens[rows])


def nothing(rows):
    return Text(torch.zeros(rows, 0, dtype=torch.long))


@pytest.mark.parametrize(
    ("size", "given", "lengths", "reads"),
    [
        (5, 1, [1, 2, 3, 4, 5, 2, 3, 4, 5, 2, 3], [1, 1, 1, 1, 1, 2, 1, 1, 1, 2, 1]),
        (5, 4, [4, 5, 2, 3, 4, 5, 2], [3, 1, 1, 2, 1, 1, 1, 2]),
        (5, 5, [5, 2, 3, 4, 5, 2], [4, 1, 2, 1, 1, 1, 2]),
        (2, 1, [1, 2, 1, 2, 1], [1, 1, 1, 1, 1]),
        (1, 1, [1, 1, 1, 1], [1, 1, 1, 1]),
    ],
)
def test_a_full_window_keeps_its_last_half(size, given, lengths, reads):
    reader = Reader()
    window = Window(reader, size)
    prompt = torch.arange(4, 4 + given).expand(3, -1)
    state = window.begin(prompt[:, :-1], nothing(3))
    found = Greedy(max_length=len(lengths))(window, state, prompt[:, -1])
    assert found.tokens[:, 0].tolist() == [[length + 4 for length in lengths]] * 3
    assert reader.reads == reads
    assert [tokens_held(given + more, size) for more in range(len(lengths))] == lengths


def test_the_end_of_the_text_is_decoded_again():
    reader = Reader()
    window = Window(reader, 4)
    state = window.begin(torch.tensor([[10, 11, 12]]), nothing(1))
    for token in (13, 14):
        _, state = window(torch.tensor([token]), state)
    assert state.after.tokens.tolist() == state.tokens.tolist() == [[13, 14]]


def test_select_applies_to_the_tokens_and_both_states():
    window = Window(Reader(), 4)
    state = window.begin(torch.tensor([[10, 11], [20, 21], [30, 31]]), nothing(3)).select(torch.tensor([2, 0, 2]))
    for last in (5, 6, 7):
        _, state = window(torch.tensor([last, last + 10, last]), state)
    assert state.tokens.tolist() == state.after.tokens.tolist() == [[6, 7], [16, 17], [6, 7]]
    assert len(state.before.tokens) == 3


def test_a_beam_moves_through_a_window():
    window = Window(Reader(), 5)
    start = torch.full((2,), 4)
    beam = Beam(max_length=9, min_length=9, size=3)(window, window.begin(start[:, None][:, :0], nothing(2)), start)
    greedy = Greedy(max_length=9)(window, window.begin(start[:, None][:, :0], nothing(2)), start)
    assert torch.equal(beam.tokens, greedy.tokens)
