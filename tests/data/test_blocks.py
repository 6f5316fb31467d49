import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlab.data.blocks import Blocks, RandomBlocks, Windows
from seqlab.data.loader import BatchLoader, BucketSampler
from seqlab.data.token_memmap import ShardWriter, Stream
from seqlab.special_tokens import BOS, EOS, PAD

FIRST = 10
"""The ids of a stream are 10, 11, 12, …, so that each shows its position."""


@pytest.fixture(scope="module")
def ids(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stream")
    with ShardWriter(folder, 1000, shard=17) as writer:
        writer.add(range(FIRST, FIRST + 211))
    return Stream(folder)


def labels_with_context(batch):
    """The labels of a batch, each with the tokens before it."""
    for row in range(len(batch.rows)):
        for position in range(int(batch.context_length[row]), int(batch.target_lengths[row])):
            yield int(batch.target[row, position]), batch.target[row, :position].tolist()


def all_batches(examples, size=5):
    rows = np.arange(len(examples))
    return [examples.batch(part) for part in np.split(rows, range(size, len(rows), size))]


@settings(max_examples=200)
@given(st.integers(2, 211), st.integers(1, 50), st.integers(1, 50))
def test_every_token_is_a_label_once_with_the_tokens_before_it_as_context(ids, tokens, length, stride):
    stride = min(stride, length)
    blocks = Blocks(ids.first(tokens), length, 0, stride)
    found = [pair for batch in all_batches(blocks) for pair in labels_with_context(batch)]
    assert [token for token, _ in found] == list(range(FIRST + 1, FIRST + tokens))
    assert len(found) == blocks.tokens
    for token, context in found:
        assert context == list(range(token - len(context), token))
        assert len(context) >= min(token - FIRST, length - stride + 1)
        assert len(context) <= length


def plain_loop(ids, length, stride):
    """Blocks as a textbook has them: go on by `stride`, and count what was not counted before."""
    start, counted, blocks = 0, 1, []
    while counted < len(ids):
        block = ids[start : start + length + 1]
        blocks.append((block, counted - start))
        counted = start + len(block)
        start += stride
    return blocks


@pytest.mark.parametrize("tokens", [2, 3, 7, 8, 9, 23, 29, 30, 31, 211])
@pytest.mark.parametrize(("length", "stride"), [(7, 7), (7, 3), (7, 1), (1, 1), (300, 300), (300, 11)])
def test_blocks_are_those_of_a_plain_loop(ids, tokens, length, stride):
    blocks = Blocks(ids.first(tokens), length, 0, stride)
    expected = plain_loop(list(range(FIRST, FIRST + tokens)), length, stride)
    [batch] = all_batches(blocks, 1000)
    assert batch.rows.tolist() == list(range(len(expected)))
    for row, (block, context_length) in enumerate(expected):
        assert batch.target[row, : len(block)].tolist() == blocks.target_ids(row).tolist() == block
        assert (batch.target[row, len(block) :] == PAD).all()
        assert (batch.target_lengths[row], batch.context_length[row]) == (len(block), context_length)
    assert blocks.lengths(np.arange(len(blocks))).tolist() == [len(block) for block, _ in expected]
    assert blocks.longest_target == max(len(block) for block, _ in expected) - 1
    assert (blocks.longest_source, batch.source_lengths.sum(), blocks.source_ids(0).size) == (0, 0, 0)
    assert sum(batch.tokens) == tokens - 1


def test_blocks_computed_by_hand(ids):
    [batch] = all_batches(Blocks(ids.first(8), 4, 0, 2))
    assert batch.target.tolist() == [[10, 11, 12, 13, 14], [12, 13, 14, 15, 16], [14, 15, 16, 17, PAD]]
    assert batch.labels.tolist() == [[11, 12, 13, 14], [PAD, PAD, 15, 16], [PAD, PAD, 17, PAD]]
    [batch] = all_batches(Blocks(ids.first(8), 4, 0, 4))
    assert batch.target.tolist() == [[10, 11, 12, 13, 14], [14, 15, 16, 17, PAD]]
    assert batch.labels.tolist() == [[11, 12, 13, 14], [15, 16, 17, PAD]]


def test_chunks_computed_by_hand(ids):
    chunks = Blocks(ids.first(9), 3, 5, 3)
    [batch] = all_batches(chunks)
    assert batch.source.tolist() == [[PAD] * 5, [11, 12, 13, PAD, PAD], [12, 13, 14, 15, 16]]
    assert batch.source_lengths.tolist() == [0, 3, 5]
    assert batch.target.tolist() == [[BOS, 11, 12, 13, EOS], [BOS, 14, 15, 16, EOS], [BOS, 17, 18, EOS, PAD]]
    assert batch.labels.tolist() == [[11, 12, 13, EOS], [14, 15, 16, EOS], [17, 18, EOS, PAD]]
    assert chunks.tokens == sum(batch.tokens) == 8 + 3
    assert chunks.lengths(np.arange(3)).tolist() == [5, 5, 5]
    assert (chunks.longest_source, chunks.longest_target) == (5, 4)
    assert chunks.source_ids(1).tolist() == [11, 12, 13]
    assert chunks.target_ids(2).tolist() == [BOS, 17, 18, EOS]


@pytest.mark.parametrize("context", [1, 2, 13])
@pytest.mark.parametrize("tokens", [2, 6, 7, 8, 101])
def test_chunks_are_consecutive_and_their_sources_are_the_tokens_before_them(ids, tokens, context):
    chunks = Blocks(ids.first(tokens), 6, context, 6)
    labels = []
    for batch in all_batches(chunks):
        for row in range(len(batch.rows)):
            source = batch.source[row, : batch.source_lengths[row]].tolist()
            begin, *target, end = batch.target[row, : batch.target_lengths[row]].tolist()
            assert (begin, end) == (BOS, EOS)
            assert source == list(range(FIRST + 1, target[0]))[-context:]
            labels += target
    assert labels == list(range(FIRST + 1, FIRST + tokens))


@pytest.mark.parametrize(
    ("context", "stride", "message"),
    [
        (0, 8, r"stride must be at most length \(7\), but is 8"),
        (5, 3, r"equal to length if there is context \(7\), but is 3"),
    ],
)
def test_a_stride_that_skips_or_repeats_labels_is_refused(ids, context, stride, message):
    with pytest.raises(ValueError, match=message):
        Blocks(ids, 7, context, stride)


@pytest.mark.parametrize("context", [0, 5])
@pytest.mark.parametrize("rows", [[3, -1], [-1, 3], [-1]])
def test_a_filler_row_has_a_source_and_no_labels(ids, context, rows):
    for examples in (Blocks(ids, 7, context, 7), Windows(ids, 7, context)):
        batch = examples.batch(np.array(rows))
        filler = batch.rows < 0
        assert (batch.tokens[filler] == 0).all()
        assert (batch.target[filler] == PAD).all()
        assert batch.target.size(1) > 1
        if context:
            assert (batch.source_lengths > 0).all()
        real = examples.batch(np.array([3]))
        for field in ("target", "target_lengths", "context_length", "source_lengths"):
            assert getattr(batch, field)[~filler].tolist() in (getattr(real, field).tolist(), [])


@settings(max_examples=100)
@given(st.integers(2, 211), st.integers(1, 50), st.integers(1, 11), st.integers(0, 99))
def test_an_epoch_covers_every_token_once_except_less_than_two_blocks_at_the_ends(tokens, length, size, seed):
    length = min(length, tokens - 1)
    sampler = RandomBlocks(tokens, length, size, seed)
    for epoch in range(3):
        batches = sampler.epoch(epoch)
        assert len(batches) == len(sampler)
        assert {len(starts) for starts in batches[:-1]} <= {size}
        starts = np.sort(np.concatenate(batches))
        assert (np.diff(starts) == length).all()
        assert 0 <= starts[0] < length
        assert starts[-1] + length < tokens
        assert len(starts) * length > tokens - 1 - 2 * length


def test_epochs_cut_different_blocks_in_different_order_reproducibly():
    sampler = RandomBlocks(1000, 31, 7, seed=3)
    epochs = [np.concatenate(sampler.epoch(epoch)).tolist() for epoch in range(20)]
    assert len({starts[0] % 31 for starts in epochs}) > 10
    assert all(starts != sorted(starts) for starts in epochs)
    assert epochs == [np.concatenate(RandomBlocks(1000, 31, 7, seed=3).epoch(e)).tolist() for e in range(20)]
    assert epochs[0] != np.concatenate(RandomBlocks(1000, 31, 7, seed=4).epoch(0)).tolist()


def test_over_many_epochs_every_token_is_a_label_about_equally_often():
    counts = np.zeros(101)
    for epoch in range(600):
        for place in np.concatenate(RandomBlocks(101, 7, 5, seed=1).epoch(epoch)):
            counts[place + 1 : place + 8] += 1
    assert counts[0] == 0
    assert (counts[7:92] == 600).all()
    assert (np.diff(counts[1:8]) > 0).all(), "each phase leaves another beginning out"


def test_a_stream_that_is_not_longer_than_a_block_is_refused():
    with pytest.raises(ValueError, match=r"length must be below the number of tokens \(7\), but is 7"):
        RandomBlocks(7, 7, 1, 0)
    assert [starts.tolist() for starts in RandomBlocks(8, 7, 1, 0).epoch(0)] == [[0]]


def training(ids, context=0, rank=0, world_size=1):
    windows = Windows(ids, 7, context)
    return BatchLoader("train", windows, RandomBlocks(len(ids), 7, 4, seed=5), rank, world_size)


@pytest.mark.parametrize("context", [0, 5])
def test_training_batches_are_whole_blocks_at_their_positions(ids, context):
    for batch in training(ids, context):
        assert batch.context_length.tolist() == [1] * len(batch.rows)
        for place, target in zip(batch.rows.tolist(), batch.target.tolist(), strict=True):
            following = list(range(FIRST + place + 1, FIRST + place + 8))
            assert target == ([BOS, *following, EOS] if context else [FIRST + place, *following])


@pytest.mark.parametrize("done", [0, 1, 3, 7])
def test_training_resumes_exactly_where_it_stopped(ids, done):
    whole = [batch.target.tolist() for batch in training(ids)]
    again = training(ids)
    again.resume_at(done)
    assert [batch.target.tolist() for batch in again] == (whole[done:] or whole)


@pytest.mark.parametrize("world_size", [2, 3, 5])
def test_ranks_share_every_batch(ids, world_size):
    ranks = [training(ids, rank=rank, world_size=world_size) for rank in range(world_size)]
    for whole, *shares in zip(training(ids), *ranks, strict=True):
        targets = [target for share in shares for target in share.target[share.rows >= 0].tolist()]
        assert sorted(targets) == sorted(whole.target.tolist())


def test_an_evaluation_loader_has_every_token_as_a_label_once(ids):
    blocks = Blocks(ids, 7, 0, 3)
    sampler = BucketSampler(blocks.lengths(np.arange(len(blocks))), 4)
    ranks = [BatchLoader("val", blocks, sampler, rank, 3) for rank in range(3)]
    found = [token for rank in ranks for batch in rank for token, _ in labels_with_context(batch)]
    assert sorted(found) == list(range(FIRST + 1, FIRST + 211))


@pytest.mark.parametrize("context", [0, 6])
@pytest.mark.parametrize("kind", [Windows, functools.partial(Blocks, stride=4)])
def test_padded_lengths_are_those_of_the_batch(ids, kind, context):
    examples = kind(ids.first(30), 4, context)
    for rows in ([0], [1, 2], [2, 4, -1], [len(examples) - 1]):
        batch = examples.batch(np.array(rows))
        assert examples.padded_lengths(np.array(rows)) == (batch.source.size(1), batch.target.size(1))
