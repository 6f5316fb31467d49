import itertools
import json
import math

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer

from seqlab.data.batch import Examples
from seqlab.data.loader import BatchLoader, BucketSampler
from seqlab.data.module import SequenceData
from seqlab.data.reversal import Reversal

LENGTHS = np.random.default_rng(7).integers(1, 31, size=211)


def examples_of(lengths: np.ndarray) -> Examples:
    return Examples.of(([4] * length, [5 + row % 7]) for row, length in enumerate(lengths))


def loader(seed: int | None = 3, rank: int = 0, world_size: int = 1, lengths: np.ndarray = LENGTHS) -> BatchLoader:
    return BatchLoader("train", examples_of(lengths), BucketSampler(lengths, 13, None, seed), rank, world_size)


def rows_of(batches) -> list[list[int]]:
    return [batch.rows.tolist() for batch in batches]


settings = pytest.mark.parametrize(
    ("batch_size", "batch_tokens", "seed"),
    [(13, None, 5), (13, None, None), (17, 101, 5), (1000, 101, 5), (17, 5, 5), (1, None, 5), (1000, None, 5)],
)


@settings
def test_every_row_comes_exactly_once_an_epoch(batch_size, batch_tokens, seed):
    sampler = BucketSampler(LENGTHS, batch_size, batch_tokens, seed)
    for epoch in range(3):
        assert sorted(np.concatenate(sampler.epoch(epoch))) == list(range(len(LENGTHS)))


@settings
def test_every_epoch_has_the_number_of_batches_that_the_sampler_says(batch_size, batch_tokens, seed):
    sampler = BucketSampler(LENGTHS, batch_size, batch_tokens, seed)
    assert {len(sampler.epoch(epoch)) for epoch in range(5)} == {len(sampler)}


@settings
def test_batches_respect_their_limits_of_examples_and_tokens(batch_size, batch_tokens, seed):
    batches = BucketSampler(LENGTHS, batch_size, batch_tokens, seed).epoch(1)
    assert all(1 <= len(rows) <= batch_size for rows in batches)
    if batch_tokens is not None:
        assert all(len(rows) == 1 or len(rows) * LENGTHS[rows].max() <= batch_tokens for rows in batches)


@settings
def test_batches_are_no_smaller_than_they_must_be(batch_size, batch_tokens, seed):
    batches = BucketSampler(LENGTHS, batch_size, batch_tokens, seed).epoch(1)
    batches.sort(key=lambda rows: (LENGTHS[rows].min(), LENGTHS[rows].max(), -len(rows)))
    for rows, following in itertools.pairwise(batches):
        tokens = (len(rows) + 1) * LENGTHS[following].min()
        assert len(rows) == batch_size or (batch_tokens is not None and tokens > batch_tokens)


def test_an_example_longer_than_batch_tokens_is_a_batch_by_itself():
    batches = BucketSampler(np.array([2, 50, 3, 2, 60]), 100, batch_tokens=10, seed=1).epoch(0)
    assert sorted(sorted(rows.tolist()) for rows in batches) == [[0, 2, 3], [1], [4]]


def test_the_same_seed_gives_the_same_order_and_another_epoch_or_seed_another():
    def order(seed: int, epoch: int) -> list[list[int]]:
        return [rows.tolist() for rows in BucketSampler(LENGTHS, 13, None, seed).epoch(epoch)]

    assert order(3, 5) == order(3, 5)
    assert order(3, 5) != order(3, 6)
    assert order(3, 5) != order(4, 5)


def test_without_a_seed_the_order_is_by_length_and_the_same_each_epoch():
    sampler = BucketSampler(LENGTHS, 13)
    order = np.concatenate(sampler.epoch(0))
    assert (np.diff(LENGTHS[order]) >= 0).all()
    assert order.tolist() == np.concatenate(sampler.epoch(1)).tolist()


def test_examples_of_equal_length_meet_different_neighbours_each_epoch():
    sampler = BucketSampler(np.full(29, 3), 7, None, 5)
    together = [{frozenset(rows.tolist()) for rows in sampler.epoch(epoch)} for epoch in range(2)]
    assert not together[0] & together[1]


def test_short_and_long_batches_come_mixed():
    longest = [LENGTHS[rows].max() for rows in BucketSampler(LENGTHS, 13, None, 5).epoch(0)]
    assert longest not in (sorted(longest), sorted(longest, reverse=True))


def test_batches_hold_similar_lengths_so_that_little_is_padded():
    def padding(batches) -> int:
        return sum(int((LENGTHS[rows].max() - LENGTHS[rows]).sum()) for rows in batches)

    at_random = np.array_split(np.random.default_rng(1).permutation(len(LENGTHS)), 17)
    assert padding(BucketSampler(LENGTHS, 13, None, 5).epoch(0)) < 0.2 * padding(at_random)


@pytest.mark.parametrize("pool", [None, 1, 3, 40])
@pytest.mark.parametrize("seed", [5, None])
def test_batches_are_those_of_sorting_all_rows_at_once(monkeypatch, pool, seed):
    monkeypatch.setattr("seqlab.data.loader.SORTED", 50)
    rows, lengths = np.arange(len(LENGTHS)), LENGTHS.astype(np.uint8)
    order = rows if seed is None else np.random.default_rng([seed, 2]).permutation(rows)
    pools = np.arange(len(rows)) // (len(rows) if pool is None else 13 * pool)
    expected = np.split(order[np.lexsort((LENGTHS[order], pools))], range(13, len(rows), 13))
    batches = BucketSampler(lengths, 13, None, seed, pool=pool).epoch(2)
    assert sorted(one.tolist() for one in batches) == sorted(one.tolist() for one in expected)


def test_among_restricts_the_rows():
    among = np.arange(0, len(LENGTHS), 5)
    sampler = BucketSampler(LENGTHS, 13, 101, 5, among)
    assert sorted(np.concatenate(sampler.epoch(0))) == among.tolist()
    assert len(sampler) == len(sampler.epoch(0))


def test_no_rows_are_no_batches():
    assert len(BucketSampler(np.array([], dtype=int), 13, 101, 5)) == 0
    assert BucketSampler(np.array([], dtype=int), 13, 101, 5).epoch(0) == []


def test_a_loader_yields_the_batches_of_the_epoch_that_is_set():
    ours = loader()
    sampler = BucketSampler(LENGTHS, 13, None, 3)
    for epoch in (0, 4):
        ours.sampler.set_epoch(epoch)
        assert len(ours) == len(sampler)
        assert rows_of(ours) == [rows.tolist() for rows in sampler.epoch(epoch)]


def test_a_loader_gives_the_examples_of_its_rows():
    for batch in loader():
        assert batch.source_lengths.tolist() == LENGTHS[batch.rows].tolist()
        assert batch.target[:, 1].tolist() == (5 + batch.rows % 7).tolist()


@pytest.mark.parametrize("world_size", [2, 3, 5])
def test_the_shares_of_all_ranks_together_are_the_whole_batch(world_size):
    ranks = [loader(rank=rank, world_size=world_size) for rank in range(world_size)]
    assert {len(rank) for rank in ranks} == {len(loader())}
    for whole, *shares in zip(loader().rows(2), *(rank.rows(2) for rank in ranks), strict=True):
        together = np.concatenate(shares)
        assert sorted(together[together >= 0]) == sorted(whole)
        sizes = [len(share) for share in shares]
        assert max(sizes) - min(sizes) <= 1


def test_an_empty_share_is_one_filler_row():
    lengths = np.array([3, 5])
    shares = [loader(rank=rank, world_size=3, lengths=lengths).rows(0) for rank in range(3)]
    assert sorted(rows.tolist() for share in shares for rows in share) == [[-1], [0], [1]]
    [batch] = loader(rank=2, world_size=3, lengths=lengths)
    assert batch.rows.tolist() == [-1]
    assert batch.target_lengths.tolist() == [0]


@pytest.mark.parametrize("done", [0, 1, 7, 16])
def test_a_loader_resumes_exactly_where_another_stopped(done):
    first, again, epoch = loader(), loader(), 5
    first.set_epoch(epoch)
    handed_out = rows_of(itertools.islice(first, done))
    again.resume_at(first.position)
    again.set_epoch(epoch)
    whole = [rows.tolist() for rows in loader().rows(epoch)]
    assert handed_out == whole[:done]
    assert rows_of(again) == whole[done:]
    assert rows_of(again) == whole, "the epoch after the one that was resumed is whole"


def test_a_finished_epoch_is_followed_by_a_whole_new_one():
    first, again = loader(), loader()
    assert len(rows_of(first)) == first.position == 17
    again.resume_at(first.position)
    again.set_epoch(1)
    assert rows_of(again) == [rows.tolist() for rows in loader().rows(1)]


def test_a_resumed_loader_counts_on_from_where_it_was():
    again = loader()
    again.resume_at(5)
    assert len(list(itertools.islice(again, 3))) == 3
    assert again.position == 8


class Counting(SequenceData):
    """211 examples of different lengths."""

    def load(self) -> None:
        self.examples = dict.fromkeys(("train", "val"), examples_of(LENGTHS))


def counting(**loading) -> Counting:
    data = Counting(**{"batch_size": 13, **loading})
    data.setup("fit")
    return data


@pytest.mark.parametrize("done", [0, 1, 7, 16, 17])
def test_a_dataset_resumes_exactly_where_its_state_was_saved(done):
    first, again = counting(), counting()
    handed_out = rows_of(itertools.islice(first.train_dataloader(), done))
    again.load_state_dict(json.loads(json.dumps(first.state_dict())))
    whole = rows_of(counting().train_dataloader())
    assert handed_out == whole[:done]
    assert rows_of(again.train_dataloader()) == (whole[done:] or whole)


@pytest.mark.parametrize("asked", [False, True], ids=["before", "after"])
def test_a_state_taken_before_the_first_batch_is_the_one_that_was_loaded(asked):
    again = counting()
    again.load_state_dict({"position": 5})
    if asked:
        again.train_dataloader()
    assert again.state_dict() == {"position": 5}


def test_a_dataset_orders_training_and_sorts_validation():
    lengths = np.maximum(LENGTHS, 3)  # targets hold three tokens
    data = counting(eval_batch_size=19, order_seed=3)
    [validation] = data.val_dataloader()
    for batches, sampler in (
        (data.train_dataloader(), BucketSampler(lengths, 13, None, 3)),
        (validation, BucketSampler(lengths, 19)),
    ):
        assert rows_of(batches) == [rows.tolist() for rows in sampler.epoch(0)]


class Noting(LightningModule):
    """Trains nothing, and notes the rows of each batch."""

    def __init__(self):
        super().__init__()
        self.rows = []

    def configure_optimizers(self):
        return None

    def training_step(self, batch, index):
        self.rows.append(batch.rows.tolist())


@pytest.mark.parametrize(("limit", "alike"), [({"overfit_batches": 2}, True), ({"limit_train_batches": 2}, False)])
def test_batches_to_overfit_are_the_same_in_each_epoch(limit, alike):
    model, data = Noting(), counting()
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    trainer = Trainer(max_epochs=3, enable_model_summary=False, use_distributed_sampler=False, **quiet, **limit)
    trainer.fit(model, data)
    first, *others = (model.rows[at : at + 2] for at in (0, 2, 4))
    assert len(model.rows) == 6
    assert [one == first for one in others] == [alike] * 2


@pytest.mark.parametrize("name", ["batch_size", "batch_tokens", "eval_batch_size"])
@pytest.mark.parametrize("value", [0, -3])
def test_an_empty_batch_size_is_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, but is {value}"):
        Counting(**{name: value})


@pytest.mark.parametrize("pool", [1, 2, 5, None])
def test_pools_keep_the_number_of_batches_and_every_row(pool):
    sampler = BucketSampler(LENGTHS, 13, None, 3, None, pool)
    for epoch in range(3):
        batches = sampler.epoch(epoch)
        assert len(batches) == len(sampler)
        assert sorted(len(rows) for rows in batches)[1:] == [13] * (len(batches) - 1)
        assert sorted(np.concatenate(batches).tolist()) == list(range(len(LENGTHS)))


def test_smaller_pools_pad_more():
    def padding(pool):
        batches = BucketSampler(LENGTHS, 13, None, 3, None, pool).epoch(0)
        return sum(int((LENGTHS[rows].max() - LENGTHS[rows]).sum()) for rows in batches)

    assert padding(None) < padding(3) < padding(1)


def test_pools_and_a_limit_of_tokens_exclude_each_other():
    with pytest.raises(ValueError, match=r"pool must be null if batch_tokens \(50\) is set, but is 3"):
        Reversal(batch_tokens=50, pool=3)


# Few shapes -------------------------------------------------------------------------------------------------------


def shapes_of(batches):
    return {(len(batch.rows), batch.source.size(1), batch.target.size(1)) for batch in batches}


@pytest.mark.parametrize("limit", [100, 15, 10, 6, 5, 3, 1])
def test_lengths_are_rounded_up_as_little_as_gives_few_shapes(limit):
    batches = loader()
    exact = list(batches)

    def rounded(length, multiple):
        return min(int(LENGTHS.max()), multiple * math.ceil(length / multiple))

    counts = {m: len({(len(b.rows), rounded(b.source.size(1), m)) for b in exact}) for m in (1, 2, 4, 8, 16)}
    multiple = next((m for m, count in counts.items() if count <= limit), 16)
    assert batches.round_lengths(limit) == (multiple, counts[multiple])
    for batch, before in zip(batches, exact, strict=True):
        assert batch.source.size(1) == rounded(before.source.size(1), multiple)
        for longer, short in ((batch.source, before.source), (batch.target, before.target)):
            assert torch.equal(longer[:, : short.size(1)], short)
            assert not longer[:, short.size(1) :].any()
        assert all(map(torch.equal, batch[1::2], before[1::2]))
    assert len(shapes_of(batches)) == counts[multiple]


def test_nothing_is_padded_beyond_the_longest_of_the_split():
    """A model may have no positions there."""
    lengths = np.array([3, 9, 10])
    batches = loader(lengths=lengths)
    batches.round_lengths(0)
    (batch,) = batches
    assert (batch.source.size(1), batch.target.size(1)) == (10, 3)


def test_a_typical_batch_is_padded_as_those_of_training_are():
    batches = loader()
    batches.round_lengths(3)
    assert shapes_of([batches.middle()]) <= shapes_of(batches)


def test_a_batch_in_one_row_is_the_batch():
    batch = examples_of(LENGTHS).batch(np.arange(5))
    for field, other in zip(batch, batch.unpacked(batch.packed()), strict=True):
        assert torch.equal(field, other)


def test_padded_lengths_are_those_of_the_batch():
    examples = examples_of(LENGTHS)
    for rows in ([0], [1, 2], [2, 4, -1], [len(examples) - 1]):
        batch = examples.batch(np.array(rows))
        assert examples.padded_lengths(np.array(rows)) == (batch.source.size(1), batch.target.size(1))
