"""Splits and references of pairs in files are those of plain lists and dictionaries, which take far more memory."""

import random
import tracemalloc

import numpy as np
import pytest

from seqlab.data.split_pairs import HELD_OUT, SplitPairs
from seqlab.data.text_pairs import INDEX
from seqlab.text.pairs import Pair
from seqlab.text.tokenizers import ByteTokenizer, CharacterTokenizer


class GivenPairs(SplitPairs):
    """Pairs from memory, of which some splits may be missing."""

    def __init__(self, given, tokenizer=CharacterTokenizer.fit, **settings):
        super().__init__(tokenizer, **settings)
        self.given = given

    def content(self):
        return {split: [(p.source, p.target, *p.alternatives) for p in pairs] for split, pairs in self.given.items()}

    def pairs(self):
        return {split: iter(pairs) for split, pairs in self.given.items()}


def drawn(seed, count=101):
    """Pairs of few sources, so that most have several targets."""
    generator = random.Random(seed)
    return [
        Pair(
            " ".join(generator.choices("ab", k=generator.randint(1, 5))),
            f"{generator.randint(0, 99)} x" * generator.randint(1, 3),
            tuple(map(str, generator.sample(range(9), generator.randint(0, 2)))),
        )
        for _ in range(count)
    ]


def in_memory(data):
    """The splits with their references, by lists and dictionaries."""
    everything = data.given["train"]
    kept = everything
    if data.max_words is not None:
        kept = [p for p in kept if max(len(p.source.split()), len(p.target.split())) <= data.max_words]
    if data.max_pairs is not None and data.max_pairs < len(kept):
        generator = np.random.default_rng(data.seed)
        rows = sorted(generator.choice(len(kept), data.max_pairs, replace=False))
        kept = kept[: data.max_pairs] if data.sample == "first" else [kept[row] for row in rows]
    sources = list(dict.fromkeys(pair.source for pair in kept))
    order = np.random.default_rng(data.seed).permutation(len(sources)).tolist()
    names = dict.fromkeys(sources, "train")
    for split, share in (("val", data.val_share), ("test", data.test_share)):
        if split not in data.given and share:
            size = max(1, round(share * len(sources)))
            names |= {sources[i]: split for i in order[:size]}
            order = order[size:]
    splits = {split: [p for p in kept if names[p.source] == split] for split in ("train", *HELD_OUT)}
    splits |= {split: data.given[split] for split in HELD_OUT if split in data.given}
    held_out = {pair.source for split in HELD_OUT for pair in data.given.get(split, [])}
    return {
        split: [(p.source, referenced(p, pairs, [] if p.source in held_out else everything)) for p in pairs]
        for split, pairs in splits.items()
        if pairs
    }


def referenced(pair, split, known):
    same = [one for one in [*split, *known] if one.source == pair.source]
    return list(dict.fromkeys(text for one in [pair, *same] for text in (one.target, *one.alternatives)))


@pytest.fixture
def load(tmp_path):
    def load(given, **settings):
        data = GivenPairs(given, cache=tmp_path / "cache", **settings)
        data.prepare_data()
        data.setup("fit")
        return data

    return load


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("given", [(), ("val",), ("test",), ("val", "test")], ids=str)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"val_share": 0.3, "test_share": 0.0},
        {"max_pairs": 60},
        {"max_pairs": 60, "sample": "random"},
        {"max_words": 3, "max_pairs": 40, "sample": "random"},
    ],
    ids=str,
)
def test_splits_and_references_are_those_of_lists(load, monkeypatch, seed, given, settings):
    monkeypatch.setattr("seqlab.data.pair_store.CHUNK", 17)
    monkeypatch.setattr("seqlab.data.text_pairs.CHUNK", 19)
    monkeypatch.setattr("seqlab.data.pair_store.BUCKET", 23)
    monkeypatch.setattr("seqlab.data.token_memmap.SCANNED", 29)
    files = {"train": drawn(seed), **{split: drawn(seed + 9, 13) for split in given}}
    data = load(files, seed=seed, **settings)
    expected = in_memory(data)
    assert {
        split: [
            (data.source_text(split, row), list(data.references(split, row)))
            for row in range(len(data.examples[split]))
        ]
        for split in data.splits
    } == expected
    for split, pairs in expected.items():
        sources = [source for source, _ in pairs]
        assert data.rows_to_generate(split).tolist() == [one not in sources[:row] for row, one in enumerate(sources)]
        sides = [data.source_tokenizer.encode(source) for source in sources]
        assert [data.examples[split].source_ids(row).tolist() for row in range(len(sides))] == sides
        passages = [one for part in data.passages(split) for one in part["sources"].sentences]
        assert passages == sources


def test_examples_in_files_have_the_fingerprint_of_those_in_memory(load):
    from seqlab.data.batch import Examples

    data = load({"train": drawn(1)})
    for split in data.splits:
        files = data.examples[split]
        sides = [(files.source_ids(row).tolist(), files.target_ids(row).tolist()[1:-1]) for row in range(len(files))]
        memory = Examples.of(sides)
        assert files.fingerprint() == memory.fingerprint()
        assert files.all_lengths().tolist() == memory.all_lengths().tolist()
        assert (files.longest_source, files.longest_target) == (memory.longest_source, memory.longest_target)
        rows = np.array([len(files) - 1, 0, -1])
        assert all(map(np.array_equal, files.batch(rows), memory.batch(rows)))


def test_preparing_that_is_stopped_leaves_nothing_and_begins_anew(tmp_path, monkeypatch):
    stopped = GivenPairs({"train": drawn(1)}, cache=tmp_path / "cache")

    def pairs():
        yield from drawn(1)[:100]
        raise KeyboardInterrupt

    monkeypatch.setattr(stopped, "pairs", lambda: {"train": pairs()})
    with pytest.raises(KeyboardInterrupt):
        stopped.prepare_data()
    assert list((tmp_path / "cache").iterdir()) == []
    again = GivenPairs({"train": drawn(1)}, cache=tmp_path / "cache")
    again.prepare_data()
    [folder] = (tmp_path / "cache").iterdir()
    assert (folder / INDEX).is_file()


class CountedPairs(SplitPairs):
    """Pairs that are computed as they are asked for."""

    def __init__(self, count, **settings):
        super().__init__(ByteTokenizer.fit, **settings)
        self.count = count

    def content(self):
        return {"count": self.count}

    def pairs(self):
        return {"train": (Pair(f"source number {i}", f"target {i}") for i in range(self.count))}


def test_memory_grows_by_at_most_16_bytes_a_pair(tmp_path, monkeypatch):
    """Of Python and numpy, from reading to the first batch; files that are mapped are the system's to drop."""
    for name in ("pair_store.BUCKET", "loader.SORTED", "token_memmap.SCANNED", "text_pairs.SCANNED"):
        monkeypatch.setattr(f"seqlab.data.{name}", 1 << 12)  # what is held at once, so that few pairs tell

    def peak(count):
        tracemalloc.start()
        data = CountedPairs(count, cache=tmp_path / "cache", val_share=0.01, test_share=0.0)
        data.prepare_data()
        data.setup("fit")
        next(iter(data.train_dataloader()))
        largest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return largest

    peak(5_000)  # what is imported and set up once
    few, many = 10_000, 40_000
    assert peak(many) - peak(few) <= 16 * (many - few)
