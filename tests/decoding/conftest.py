"""A table as a model: the next token depends on the row, the position and the token before."""

import math

import pytest
import torch

from seqlab.special_tokens import BOS, EOS, UNK


class TableState:
    """Rows of the table, and the position."""

    def __init__(self, rows, position=0):
        self.rows, self.position = rows, position

    def select(self, rows):
        return TableState(self.rows[rows], self.position)


class Table:
    """Logits by row, position, last token and next token: (rows, positions, V, V). Records the rows of each step."""

    def __init__(self, logits):
        self.logits, self.step_sizes = logits, []
        self.log_probabilities = logits.log_softmax(-1).tolist()
        self.size = logits.size(-1)

    def step(self, tokens, state):
        self.step_sizes.append(len(tokens))
        return self.logits[state.rows, state.position, tokens], TableState(state.rows, state.position + 1)

    def search(self, search, rows=None):
        """The outputs of `search` for these rows of the table, by default for each row once."""
        rows = torch.arange(len(self.logits)) if rows is None else torch.tensor(rows)
        self.step_sizes = []
        return search(self.step, TableState(rows), torch.full((len(rows),), BOS))

    def next(self, row, prefix):
        """Log-probabilities by token after `prefix`, for the tokens that an output may contain."""
        values = self.log_probabilities[row][len(prefix)][(BOS, *prefix)[-1]]
        return {token: values[token] for token in range(EOS, self.size)}

    def every_output(self, row, max_length, min_length=0, prefix=(), score=0.0):
        """All possible outputs, one after another: (tokens without EOS, log-probability, number of tokens with EOS)."""
        for token, log_probability in self.next(row, prefix).items():
            total = score + log_probability
            if token == EOS:
                if len(prefix) >= min_length:
                    yield prefix, total, len(prefix) + 1
            elif len(prefix) + 1 == max_length:
                yield (*prefix, token), total, max_length
            else:
                yield from self.every_output(row, max_length, min_length, (*prefix, token), total)


@pytest.fixture
def table():
    """Makes a random table."""

    def make(rows=3, positions=4, symbols=3, seed=0, scale=2.0):
        generator = torch.Generator().manual_seed(seed)
        size = UNK + symbols
        return Table(torch.randn(rows, positions, size, size, generator=generator) * scale)

    return make


@pytest.fixture
def outputs():
    """Converts hypotheses to [[(tokens, score), …] of each row], without missing outputs."""

    def read(hypotheses):
        rows = zip(*(values.tolist() for values in hypotheses), strict=True)
        return [
            [(tuple(tokens[:length]), score) for tokens, length, score in zip(*row, strict=True) if score > -math.inf]
            for row in rows
        ]

    return read
