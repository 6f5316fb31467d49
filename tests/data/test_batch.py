import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.data.batch import Batch, Examples, Ragged
from seqlab.special_tokens import BOS, EOS, PAD

SEQUENCES = [[7, 8, 9], [5], [], [4, 4, 4, 4, 11]]
sequences_and_rows = st.lists(st.lists(st.integers(1, 2**31 - 1), max_size=7), min_size=1, max_size=11).flatmap(
    lambda sequences: st.tuples(st.just(sequences), st.lists(st.integers(0, len(sequences) - 1), min_size=1))
)


def padded_by_loop(sequences: list[list[int]], rows: list[int]) -> list[list[int]]:
    width = max(1, *(len(sequences[row]) for row in rows))
    table = []
    for row in rows:
        line = list(sequences[row])
        while len(line) < width:
            line.append(0)
        table.append(line)
    return table


@settings(max_examples=100)
@given(sequences_and_rows)
def test_padding_equals_a_plain_loop(both):
    sequences, rows = both
    values, lengths = Ragged.of(sequences).padded(np.array(rows))
    assert values.tolist() == padded_by_loop(sequences, rows)
    assert lengths.tolist() == [len(sequences[row]) for row in rows]
    assert values.dtype == lengths.dtype == torch.int64


def test_padding_follows_the_order_of_rows_and_repeats_them():
    values, lengths = Ragged.of(SEQUENCES).padded(np.array([1, 0, 1]))
    assert values.tolist() == [[5, 0, 0], [7, 8, 9], [5, 0, 0]]
    assert lengths.tolist() == [1, 3, 1]


def test_only_empty_sequences_still_have_a_column():
    values, lengths = Ragged.of(SEQUENCES).padded(np.array([2, 2]))
    assert values.tolist() == [[PAD], [PAD]]
    assert lengths.tolist() == [0, 0]


def test_where_all_sequences_are_empty_they_can_be_padded():
    values, lengths = Ragged.of([[], []]).padded(np.array([1, 0]))
    assert values.tolist() == [[PAD], [PAD]]
    assert lengths.tolist() == [0, 0]


def test_a_ragged_array_gives_its_sequences_and_their_lengths():
    ragged = Ragged.of(SEQUENCES)
    assert len(ragged) == 4
    assert [ragged[row].tolist() for row in range(4)] == SEQUENCES
    assert ragged.lengths.tolist() == [3, 1, 0, 5]


def test_without_examples_the_longest_lengths_are_zero():
    examples = Examples.of([])
    assert (len(examples), examples.longest_source, examples.longest_target) == (0, 0, 0)


def test_targets_have_bos_and_eos_and_sources_do_not():
    examples = Examples.of([([7, 8], [9, 10, 11]), ([5], [])])
    assert len(examples) == 2
    assert [examples.source[row].tolist() for row in range(2)] == [[7, 8], [5]]
    assert [examples.target[row].tolist() for row in range(2)] == [[BOS, 9, 10, 11, EOS], [BOS, EOS]]
    assert examples.longest_target == 4


def test_a_batch_holds_its_rows_padded_on_the_right():
    batch = Examples.of([([7, 8, 9], [4]), ([5], []), ([6, 6], [9, 8, 7])]).batch(np.array([2, 1]))
    assert batch.source.tolist() == [[6, 6], [5, PAD]]
    assert batch.source_lengths.tolist() == [2, 1]
    assert batch.target.tolist() == [[BOS, 9, 8, 7, EOS], [BOS, EOS, PAD, PAD, PAD]]
    assert batch.target_lengths.tolist() == [5, 2]
    assert batch.context_length.tolist() == [1, 1]
    assert batch.rows.tolist() == [2, 1]


def test_context_is_decoder_input_but_not_labels():
    batch = Examples.of([([7], [9, 8, 7]), ([5], [6]), ([4], [3])]).batch(np.array([0, 1, -1]))
    assert batch.decoder_input.tolist() == [[BOS, 9, 8, 7], [BOS, 6, EOS, PAD], [PAD] * 4]
    assert batch.labels.tolist() == [[9, 8, 7, EOS], [6, EOS, PAD, PAD], [PAD] * 4]
    assert batch.tokens.tolist() == [4, 2, 0]
    later = batch._replace(context_length=torch.tensor([3, 1, 1]))
    assert later.labels.tolist() == [[PAD, PAD, 7, EOS], [6, EOS, PAD, PAD], [PAD] * 4]
    assert later.tokens.tolist() == [2, 2, 0]


@pytest.mark.parametrize("rows", [[2, -1], [-1, 2], [-1, -1, 2]])
def test_a_filler_row_has_a_source_and_an_empty_target(rows):
    examples = Examples.of([([7, 8, 9], [4]), ([5], []), ([6, 6], [9, 8, 7])])
    batch = examples.batch(np.array(rows))
    filler = [i for i, row in enumerate(rows) if row < 0]
    real = rows.index(2)
    assert batch.rows.tolist() == rows
    assert (batch.target[filler] == PAD).all()
    assert (batch.target_lengths[filler] == 0).all()
    assert (batch.source_lengths[filler] >= 1).all()
    assert batch.source[real].tolist() == [6, 6, PAD]
    assert batch.target[real].tolist() == [BOS, 9, 8, 7, EOS]


def test_a_filler_row_does_not_change_the_example_it_borrows():
    examples = Examples.of([([7], [4])])
    examples.batch(np.array([-1]))
    assert examples.batch(np.array([0])).target.tolist() == [[BOS, 4, EOS]]


def test_all_of_a_batch_moves_to_a_device():
    moved = Examples.of([([7], [4])]).batch(np.array([0])).to(torch.device("meta"))
    assert isinstance(moved, Batch)
    assert {field.device.type for field in moved} == {"meta"}
