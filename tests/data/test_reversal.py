from collections import Counter

import numpy as np
import pytest

from seqlab.data.reversal import Reversal, distinct_sequences
from seqlab.errors import InputError
from seqlab.special_tokens import BOS, EOS, SPECIALS

SPLITS = ["train", "val", "test"]


def loaded(**settings) -> Reversal:
    data = Reversal(**{"samples": 1000, **settings})
    data.setup("fit")
    return data


def sequences(data: Reversal, split: str) -> list[tuple[int, ...]]:
    """The sources of a split as integers, without the zeros that fill them."""
    examples = data.examples[split]
    rows = (examples.source[row].tolist() for row in range(len(examples)))
    return [tuple(i - SPECIALS + data.smallest for i in ids if i != data.filler) for ids in rows]


def lengths(data: Reversal, split: str) -> Counter[int]:
    return Counter(map(len, sequences(data, split)))


@pytest.mark.parametrize("smallest", [1, -5, 0])
def test_a_target_is_the_reversed_source(smallest):
    data = loaded(smallest=smallest, largest=7)
    assert data.splits == SPLITS
    for split in SPLITS:
        examples = data.examples[split]
        for row in range(len(examples)):
            source, target = examples.source[row].tolist(), examples.target[row].tolist()
            assert target == [BOS, *source[::-1], EOS]
            assert all(SPECIALS <= i < data.source_size == data.target_size for i in source)


def test_an_example_reads_as_integers():
    data = loaded(smallest=-5, largest=7)
    row = next(row for row, numbers in enumerate(sequences(data, "val")) if len(numbers) > 2)
    numbers = sequences(data, "val")[row]
    assert data.source_text("val", row) == " ".join(map(str, numbers))
    assert data.references("val", row) == [" ".join(map(str, numbers[::-1]))]


def test_all_integers_occur():
    data = loaded(smallest=3, largest=9)
    assert {i for numbers in sequences(data, "train") for i in numbers} == set(range(3, 10))


@pytest.mark.parametrize("fill", [False, True])
def test_no_sequence_appears_twice_within_or_across_splits(fill):
    data = loaded(smallest=1, largest=4, max_length=5, fill=fill)
    everything = [numbers for split in SPLITS for numbers in sequences(data, split)]
    assert len(everything) == len(set(everything)) == 1000


@pytest.mark.parametrize(
    ("samples", "split", "sizes"),
    [
        (1000, (0.5, 0.25, 0.25), [500, 250, 250]),
        (101, (0.7, 0.2, 0.1), [71, 20, 10]),
        (997, (1 / 3, 1 / 3, 1 / 3), [332, 333, 332]),
        (10, (0.8, 0.2, 0.0), [8, 2]),
        (10, (0.8, 0.0, 0.2), [8, 2]),
        (7, (1.0, 0.0, 0.0), [7]),
    ],
)
def test_splits_have_exactly_their_share(samples, split, sizes):
    data = loaded(samples=samples, split=split)
    assert [len(data.examples[split]) for split in data.splits] == sizes
    assert data.splits == [name for name, share in zip(SPLITS, split, strict=True) if share]


def test_lengths_are_bounded_and_evenly_spread():
    data = loaded(min_length=3, max_length=9, samples=701)
    for split in SPLITS:
        counts = lengths(data, split)
        assert set(counts) == set(range(3, 10))
        assert max(counts.values()) - min(counts.values()) <= 1


def test_longer_lengths_make_up_for_short_ones():
    counts = lengths(loaded(smallest=1, largest=5, max_length=4, samples=304, split=(1.0, 0.0, 0.0)), "train")
    assert counts == {1: 5, 2: 25, 3: 125, 4: 149}


@pytest.mark.parametrize(("val", "test"), [(None, 11), (8, 11), (3, None)])
def test_validation_and_test_may_have_their_own_longest_length(val, test):
    data = loaded(largest=31, min_length=2, max_length=5, val_max_length=val, test_max_length=test)
    assert set(lengths(data, "train")) == set(range(2, 6))
    assert set(lengths(data, "val")) == set(range(2, (val or 5) + 1))
    assert set(lengths(data, "test")) == set(range(2, (test or 5) + 1))
    assert data.longest_target == max(5, val or 5, test or 5) + 1
    everything = [numbers for split in SPLITS for numbers in sequences(data, split)]
    assert len(set(everything)) == 1000


def test_filled_arrays_have_one_length_and_their_zero_is_a_separate_symbol():
    data = loaded(smallest=1, largest=7, min_length=2, max_length=5, test_max_length=6, fill=True)
    zero = SPECIALS + 7
    assert data.filler == zero == data.source_size - 1
    for split in SPLITS:
        examples = data.examples[split]
        assert set(examples.source.lengths) == {6}
        assert set(examples.target.lengths) == {8}
        for row, numbers in enumerate(sequences(data, split)):
            ids, zeros = [n + 3 for n in numbers], [zero] * (6 - len(numbers))
            assert examples.source[row].tolist() == [*ids, *zeros]
            assert examples.target[row].tolist() == [BOS, *ids[::-1], *zeros, EOS]


def test_arrays_that_are_not_filled_have_no_filler():
    assert loaded().filler is None


def test_the_seed_decides_the_sequences():
    def everything(seed: int) -> list[list[tuple[int, ...]]]:
        data = loaded(seed=seed)
        return [sequences(data, split) for split in SPLITS]

    assert everything(3) == everything(3)
    assert all(one != other for one, other in zip(everything(3), everything(4), strict=True))


def test_setup_draws_once():
    data = loaded()
    before = data.examples
    data.setup("test")
    assert data.examples is before


@pytest.mark.parametrize("split", [(0.5, 0.25, 0.25), (0.2, 0.2, 0.6), (1.0, 0.0, 0.0)])
@pytest.mark.parametrize(("symbols", "longest"), [(1, 7), (2, 5), (3, 3), (11, 1)])
def test_a_tiny_space_can_be_used_up_completely(symbols, longest, split):
    space = sum(symbols**n for n in range(1, longest + 1))
    data = loaded(smallest=1, largest=symbols, max_length=longest, samples=space, split=split)
    assert sum(len(examples) for examples in data.examples.values()) == space
    assert len({numbers for split in data.splits for numbers in sequences(data, split)}) == space


@pytest.mark.parametrize("samples", [13, 5000])
def test_too_many_sequences_are_refused_with_both_numbers(samples):
    with pytest.raises(InputError, match=rf"{samples:,} distinct .* of 3 integers with lengths 1 to 2 .* only 12\b"):
        loaded(smallest=1, largest=3, max_length=2, samples=samples)


def test_where_one_split_lacks_space_the_message_gives_the_space_of_its_lengths():
    # 40 × ½ sequences of lengths 1 and 2 are 20; there are 3 + 9.
    with pytest.raises(InputError, match=r"of 3 integers with lengths 1 to 2 .*\b12\b"):
        loaded(smallest=1, largest=3, max_length=2, test_max_length=5, samples=40)


def test_training_leaves_short_sequences_for_a_split_that_has_no_others():
    # Of the 5 + 25 + 125 sequences, two of length 1 are wanted for testing.
    data = loaded(smallest=1, largest=5, max_length=3, test_max_length=1, samples=20, split=(0.8, 0.1, 0.1))
    assert lengths(data, "test") == {1: 2}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"min_length": 0}, r"min_length must be 1 to .* \(10\), but is 0"),
        ({"min_length": 11}, r"min_length must be 1 to .* \(10\), but is 11"),
        ({"min_length": 4, "test_max_length": 3}, r"min_length must be 1 to .* \(3\), but is 4"),
        ({"val_max_length": 0}, r"\(0\), but is 1"),
        ({"split": (0.5, 0.5)}, r"three shares .* \[0\.5, 0\.5\]"),
        ({"split": (0.5, 0.25, 0.3)}, r"add up to 1, but is \[0\.5, 0\.25, 0\.3\]"),
        ({"split": (1.5, -0.25, -0.25)}, r"add up to 1, but is \[1\.5, -0\.25, -0\.25\]"),
        ({"split": (0.0, 0.5, 0.5)}, r"add up to 1, but is \[0\.0, 0\.5, 0\.5\]"),
        ({"smallest": 5, "largest": 4}, r"largest must be at least smallest \(5\), but is 4"),
        ({"smallest": 0, "fill": True}, r"fill needs zero outside .* 0\.\.15"),
        ({"samples": 0}, r"samples must be .* but is 0"),
        ({"samples": -5}, r"samples must be .* but is -5"),
    ],
)
def test_settings_that_contradict_each_other_are_refused_with_their_values(settings, message):
    with pytest.raises(ValueError, match=message):
        Reversal(**settings)


@pytest.mark.parametrize(("count", "length", "symbols"), [(8, 3, 2), (5, 3, 2), (3, 3, 2), (99, 7, 11), (0, 5, 3)])
def test_distinct_sequences_are_distinct_and_in_range(count, length, symbols):
    drawn = distinct_sequences(np.random.default_rng(1), count, length, symbols)
    assert drawn.shape == (count, length)
    assert len({tuple(row) for row in drawn.tolist()}) == count
    assert ((drawn >= 0) & (drawn < symbols)).all()


@pytest.mark.parametrize("count", [2, 7])
def test_distinct_sequences_are_drawn_evenly(count):
    generator = np.random.default_rng(1)
    drawn = Counter(tuple(row) for _ in range(800) for row in distinct_sequences(generator, count, 2, 3).tolist())
    expected = 800 * count / 9
    assert len(drawn) == 9
    assert all(abs(times - expected) < 5 * expected**0.5 for times in drawn.values())
