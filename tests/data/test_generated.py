"""Datasets whose pairs are computed: which items are drawn for which split."""

import pytest

from seqlab.data.dates import SPELLINGS, Dates
from seqlab.data.generated import GeneratedPairs, split_sizes
from seqlab.data.numbers import Numbers
from seqlab.errors import InputError
from seqlab.text.pairs import Pair
from seqlab.text.tokenizers import CharacterTokenizer


class Powers(GeneratedPairs):
    """The squares, cubes and so on of a few numbers: item and form can be read off a source."""

    def __init__(self, items=range(10, 20), forms=3, **drawing):
        super().__init__(CharacterTokenizer.fit, items, forms, **drawing)

    def describe(self) -> str:
        return "powers"

    def pair(self, item: int, form: int) -> Pair:
        return Pair(f"{item}^{form}", str(item**form))


def items(pairs):
    return [int(pair.source.partition("^")[0]) for pair in pairs]


def made(kind, **settings):
    return kind(CharacterTokenizer.fit, **settings)


@pytest.mark.parametrize(
    ("samples", "split", "sizes"),
    [
        (1000, (0.5, 0.25, 0.25), [500, 250, 250]),
        (101, (0.7, 0.2, 0.1), [71, 20, 10]),
        (7, (1.0, 0.0, 0.0), [7, 0, 0]),
    ],
)
def test_the_sizes_of_splits_are_their_shares(samples, split, sizes):
    assert split_sizes(samples, split) == dict(zip(("train", "val", "test"), sizes, strict=True))


@pytest.mark.parametrize(
    ("samples", "split", "sizes", "each"),
    [
        (10, (0.8, 0.1, 0.1), [8, 1, 1], 1),
        (7, (0.5, 0.0, 0.5), [4, 0, 3], 1),
        (11, (0.5, 0.25, 0.25), [6, 2, 3], 2),
        (18, (0.5, 0.25, 0.25), [9, 5, 4], 2),
        (30, (0.8, 0.1, 0.1), [24, 3, 3], 3),
    ],
)
def test_items_are_in_one_split_and_in_as_few_forms_as_suffice(samples, split, sizes, each):
    drawn = Powers(samples=samples, split=split).pairs()
    assert [len(pairs) for pairs in drawn.values()] == sizes
    assert len({pair.source for pairs in drawn.values() for pair in pairs}) == samples
    seen = [set(items(pairs)) for pairs in drawn.values()]
    assert len(set.union(*seen)) == sum(map(len, seen))
    for pairs, own in zip(drawn.values(), seen, strict=True):
        assert len(own) == -(-len(pairs) // each)
        assert len({*items(pairs[: len(own)])}) == len(own)  # neighbours are of different items


def test_every_item_and_every_form_is_drawn():
    sources = {p.source for seed in range(60) for pairs in Powers(samples=5, seed=seed).pairs().values() for p in pairs}
    assert sources == {f"{item}^{form}" for item in range(10, 20) for form in range(3)}


@pytest.mark.parametrize("samples", [31, 29])
def test_more_pairs_than_there_are_without_sharing_an_item_are_refused(samples):
    # 29 pairs of 3 forms: ⌈23 / 3⌉ + ⌈3 / 3⌉ + ⌈3 / 3⌉ of 9 items, where train and val and test want 8 + 1 + 1.
    data = Powers(items=range(9), samples=samples)
    with pytest.raises(InputError, match=rf"{samples} pairs are needed, but 9 items in 3 forms make only 27\b"):
        data.pairs()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"samples": 0}, r"samples must be .* but is 0"),
        ({"split": (0.5, 0.5)}, r"three shares .* \[0\.5, 0\.5\]"),
        ({"split": (0.0, 0.5, 0.5)}, r"add up to 1, but is \[0\.0, 0\.5, 0\.5\]"),
    ],
)
def test_wrong_sizes_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Powers(**settings)


DATASETS = [(Dates, {}), (Dates, {"first_year": 2000, "last_year": 2001}), (Numbers, {}), (Numbers, {"language": "fr"})]


@pytest.mark.parametrize(("kind", "settings"), DATASETS)
def test_no_text_of_a_held_out_split_appears_in_training(kind, settings):
    drawn = made(kind, **settings, samples=2500, seed=3).pairs()
    assert [len(pairs) for pairs in drawn.values()] == [2000, 250, 250]
    for side in ("source", "target"):
        texts = [{getattr(pair, side) for pair in pairs} for pairs in drawn.values()]
        assert sum(map(len, texts)) == len(set.union(*texts))
    assert len({pair.source for pairs in drawn.values() for pair in pairs}) == 2500


@pytest.mark.parametrize(("kind", "settings"), DATASETS)
def test_the_seed_decides_the_pairs(kind, settings):
    first, again, other = (made(kind, **settings, samples=500, seed=seed).pairs() for seed in (1, 1, 2))
    assert first == again
    assert all(first[split] != other[split] for split in first)


@pytest.mark.parametrize(("kind", "settings"), DATASETS)
def test_every_source_has_one_reference(kind, settings, tmp_path):
    data = made(kind, **settings, samples=200, cache=tmp_path)
    data.prepare_data()
    data.setup("fit")
    for split in data.splits:
        assert data.rows_to_generate(split).all()
        assert all(len(data.references(split, row)) == 1 for row in range(len(data.examples[split])))
    assert data.identity()["files"] is None
    assert "100%" in data.remarks()[0]


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        *((Dates, one) for one in ({"seed": 1}, {"samples": 60}, {"first_year": 1950}, {"last_year": 1950})),
        *((Dates, one) for one in ({"split": (0.5, 0.25, 0.25)}, {"split": [0.6, 0.2, 0.2]})),
        *((Numbers, one) for one in ({"seed": 1}, {"language": "de"}, {"largest": 500})),
    ],
)
def test_every_setting_makes_other_files_in_the_cache(kind, settings, tmp_path):
    for changed in ({}, settings, {}):
        made(kind, **{"samples": 50, **changed}, cache=tmp_path).prepare_data()
    assert len(list(tmp_path.iterdir())) == 2


def test_all_there_is_can_be_used():
    data = made(Dates, first_year=2023, last_year=2023, samples=365 * len(SPELLINGS), split=(1.0, 0.0, 0.0))
    assert len(set(data.pairs()["train"])) == 365 * len(SPELLINGS)
