import functools
from pathlib import Path

import pytest

from seqlab import paths
from seqlab.data import anki
from seqlab.data.anki import Anki
from seqlab.errors import InputError
from seqlab.special_tokens import UNK
from seqlab.text.pairs import Pair, read_pairs
from seqlab.text.tokenizers import CharacterTokenizer, WordTokenizer

# 23 sources of one to three words; every third has a second translation, at the end of the file.
DECK = [Pair(" ".join(["go", "now", "Tom"][: 1 + i % 3]) + f" {i}", f"va {i}") for i in range(23)]
DECK += [Pair(pair.source, f"pars {i}") for i, pair in enumerate(DECK) if i % 3 == 0]


def write(path: Path, pairs: list[Pair] = DECK) -> Path:
    path.write_text("".join(f"{pair.source}\t{pair.target}\tby #{i}\n" for i, pair in enumerate(pairs)), "utf-8")
    return path


@pytest.fixture
def deck(tmp_path) -> Path:
    return write(tmp_path / "deck.txt")


@pytest.fixture
def load(tmp_path, deck):
    def load(path: Path = deck, **settings) -> Anki:
        data = Anki(**{"tokenizer": CharacterTokenizer.fit, "cache": tmp_path / "cache", **settings}, path=path)
        data.prepare_data()
        data.setup("fit")
        return data

    return load


def pairs_of(data: Anki) -> dict[str, list[Pair]]:
    return {
        split: [
            Pair(data.source_text(split, row), data.references(split, row)[0])
            for row in range(len(data.examples[split]))
        ]
        for split in data.splits
    }


def sources(pairs: list[Pair]) -> set[str]:
    return {pair.source for pair in pairs}


@pytest.mark.parametrize(
    ("shares", "sizes"),
    [((0.1, 0.1), [19, 2, 2]), ((0.3, 0.2), [11, 7, 5]), ((0.0, 0.2), [18, 5]), ((0.2, 0.0), [18, 5])],
)
def test_whole_sources_are_assigned_to_splits_by_share(load, shares, sizes):
    splits = pairs_of(load(val_share=shares[0], test_share=shares[1]))
    assert [len(sources(pairs)) for pairs in splits.values()] == sizes
    assert len(set.union(*map(sources, splits.values()))) == sum(sizes), "a source stands in two splits"
    for pairs in splits.values():
        assert pairs == [pair for pair in DECK if pair.source in sources(pairs)]


def test_held_out_sources_are_drawn_at_random_by_the_seed(load):
    one, same, other = (pairs_of(load(val_share=0.3, seed=seed)) for seed in (3, 3, 4))
    assert one == same
    assert one != other
    assert sources(one["val"]) not in (sources(DECK[:7]), sources(DECK[16:23]))


def test_the_published_split_holds_out_the_last_fifth_of_the_lines_and_has_no_test(load):
    splits = pairs_of(load(split="published"))
    held_out = len(DECK) // 5
    assert splits == {"train": DECK[:-held_out], "val": DECK[-held_out:]}
    assert sources(splits["train"]) & sources(splits["val"])


def test_reverse_translates_from_the_second_column_to_the_first(load, deck):
    splits = pairs_of(load(split="published", reverse=True))
    assert splits["train"] + splits["val"] == [Pair(pair.target, pair.source) for pair in DECK]
    data = load(
        write(deck, [Pair("go", "va"), Pair("leave", "va"), Pair("hi", "salut")]),
        reverse=True,
        val_share=0.0,
        test_share=0.0,
    )
    row = next(row for row, pair in enumerate(data.training_pairs()) if pair.source == "va")
    assert list(data.references("train", row)) == ["go", "leave"]


def test_the_first_pairs_are_kept(load):
    splits = pairs_of(load(max_pairs=7, split="published"))
    assert splits["train"] + splits["val"] == DECK[:7]


def test_a_random_sample_keeps_the_order_and_follows_the_seed(load):
    def kept(seed: int) -> list[Pair]:
        splits = pairs_of(load(max_pairs=11, sample="random", split="published", seed=seed))
        return splits["train"] + splits["val"]

    assert len(set(kept(3))) == 11
    assert kept(3) == [pair for pair in DECK if pair in kept(3)] == kept(3)
    assert kept(3) != kept(4)
    assert kept(3) != DECK[:11]


@pytest.mark.parametrize("sample", ["first", "random"])
def test_a_max_pairs_above_the_number_of_pairs_keeps_all(load, sample):
    splits = pairs_of(load(max_pairs=1000, sample=sample, split="published"))
    assert splits["train"] + splits["val"] == DECK


@pytest.mark.parametrize("reverse", [False, True])
def test_pairs_with_too_many_words_on_either_side_are_dropped(load, deck, reverse):
    path = write(deck, [Pair("a b c", "d"), Pair("a b", "c d"), Pair("a", "b c d"), Pair("a", "b"), Pair("e", "f")])
    kept = [Pair("a b", "c d"), Pair("a", "b"), Pair("e", "f")]
    data = load(path, max_words=2, split="published", reverse=reverse)
    assert pairs_of(data)["train"] == [Pair(p.target, p.source) if reverse else p for p in kept]


def test_long_pairs_are_dropped_before_max_pairs_counts(load, deck):
    path = write(deck, [Pair("a b c", "d"), Pair("a", "b"), Pair("c d e", "f"), Pair("c", "d"), Pair("e", "f")])
    assert pairs_of(load(path, max_words=2, max_pairs=2, split="published"))["train"] == [
        Pair("a", "b"),
        Pair("c", "d"),
    ]


def test_references_are_all_translations_in_the_file_the_pairs_target_first(load):
    data = load(max_pairs=23)  # leaves all second translations out
    for split, pairs in pairs_of(data).items():
        for row, pair in enumerate(pairs):
            i = int(pair.source.split()[-1])
            expected = [f"va {i}", f"pars {i}"] if i % 3 == 0 else [f"va {i}"]
            assert list(data.references(split, row)) == expected


def test_all_pairs_of_a_source_have_the_same_references_each_with_its_target_first(load, deck):
    path = write(deck, [Pair("a", "x"), Pair("a", "y"), Pair("b", "z"), Pair("a", "x"), Pair("a", "w")])
    data = load(path, val_share=0.0, test_share=0.0)
    assert [list(data.references("train", row)) for row in range(5)] == [
        ["x", "y", "w"],
        ["y", "x", "w"],
        ["z"],
        ["x", "y", "w"],
        ["w", "x", "y"],
    ]


def test_each_source_is_generated_from_once(load):
    data = load()
    for split, pairs in pairs_of(data).items():
        first = [pairs.index(pair) for pair in pairs if pair.target.startswith("va")]
        assert [row for row, new in enumerate(data.rows_to_generate(split)) if new] == first


def test_a_character_that_only_validation_has_is_unknown(load, deck):
    path = write(deck, [Pair(f"a{i % 3}", f"b{i % 3}") for i in range(8)] + [Pair("aß", "bß"), Pair("a2", "b2")])
    data = load(path, split="published")
    assert [data.source_text("val", row) for row in range(2)] == ["aß", "a2"]
    for side in (data.examples["val"].source, data.examples["val"].target):
        assert [UNK in side[row] for row in range(2)] == [True, False]
    assert data.source_size == 4 + len("a012")


def test_a_second_dataset_reads_nothing_but_the_cache(load, monkeypatch):
    first = load()
    monkeypatch.setattr(anki, "read_deck", lambda path: pytest.fail("the deck was read again"))
    monkeypatch.setattr(CharacterTokenizer, "encode", lambda *_: pytest.fail("encoded again"))
    again = load()
    assert pairs_of(again) == pairs_of(first)
    assert again.training_pairs() == first.training_pairs()
    assert [again.rows_to_generate(split).tolist() for split in again.splits] == [
        first.rows_to_generate(split).tolist() for split in first.splits
    ]


def test_the_same_deck_elsewhere_is_the_same_cache(load, tmp_path, monkeypatch):
    load()
    copy = write(tmp_path / "copy.tsv")
    monkeypatch.setattr(anki, "read_deck", lambda path: pytest.fail("the deck was read again"))
    assert len(load(copy).examples["train"]) > 0


@pytest.mark.parametrize(
    "changed",
    [
        {"reverse": True},
        {"max_pairs": 7},
        {"max_pairs": 7, "sample": "random"},
        {"max_words": 3},
        {"split": "published"},
        {"val_share": 0.2},
        {"test_share": 0.2},
        {"seed": 1},
        {"tokenizer": functools.partial(WordTokenizer.fit, lower=True)},
    ],
    ids=str,
)
def test_another_setting_is_another_cache(load, tmp_path, changed):
    load()
    load(**changed)
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_a_changed_deck_is_another_cache(load, deck, tmp_path):
    assert Pair("go 0", "allez") not in load(val_share=0.0, test_share=0.0).training_pairs()
    write(deck, [Pair("go 0", "allez"), *DECK[1:]])
    assert Pair("go 0", "allez") in load(val_share=0.0, test_share=0.0).training_pairs()
    assert len(list((tmp_path / "cache").iterdir())) == 2


@pytest.mark.parametrize("batching", [{"batch_size": 3}, {"batch_tokens": 99}, {"order_seed": 5}], ids=str)
def test_batching_does_not_change_the_cache(load, tmp_path, batching):
    load()
    load(**batching)
    assert len(list((tmp_path / "cache").iterdir())) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"val_share": 0.5, "test_share": 0.5}, "val_share and test_share must .* 0.5, 0.5"),
        ({"val_share": -0.1}, "val_share and test_share must .* -0.1, 0.1"),
        ({"max_pairs": 0}, "max_pairs must be at least 1, but is 0"),
        ({"max_words": -2}, "max_words must be at least 1, but is -2"),
    ],
)
def test_settings_out_of_range_are_refused_with_their_values(settings, message):
    with pytest.raises(ValueError, match=message):
        Anki(CharacterTokenizer.fit, **settings)


def test_a_bad_line_is_named_and_leaves_no_cache(load, deck, tmp_path):
    deck.write_text("a\tb\nno tab\n")
    with pytest.raises(InputError, match=r"deck\.txt:2: no tab"):
        load()
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_first_line_of_names_is_no_pair_and_is_said(load, deck):
    deck.write_text("Eng\tHin\tOth\nDuck!\tझुको!\tby one\nHelp!\tबचाओ!\tby another\n", encoding="utf-8")
    data = load(val_share=0.0, test_share=0.0)
    assert pairs_of(data) == {"train": [Pair("Duck!", "झुको!"), Pair("Help!", "बचाओ!")]}
    assert data.remarks() == ["the first line has no pair, but names: 'Eng', 'Hin'"]


def test_a_first_pair_that_comes_back_is_no_line_of_names(load, deck):
    deck.write_text("en\tfr\nGo.\tVa.\nen\tde\n", encoding="utf-8")
    assert len(pairs_of(load(val_share=0.0, test_share=0.0))["train"]) == 3


def test_a_missing_deck_is_named(load, tmp_path):
    with pytest.raises(InputError, match=r"gone\.zip: no such file"):
        load(tmp_path / "gone.zip")


def test_nothing_left_to_train_on_is_an_error(load, deck):
    with pytest.raises(InputError, match="no training pairs are left"):
        load(write(deck, [Pair("a b", "c d")]), max_words=1)


def test_a_split_with_a_share_has_at_least_one_source(load, deck):
    five = [Pair(letter, letter) for letter in "abcde"]
    assert [len(pairs) for pairs in pairs_of(load(write(deck, five))).values()] == [3, 1, 1]
    with pytest.raises(InputError, match="2 different sources are too few for training with val_share"):
        load(write(deck, five[:2]))


def test_a_published_split_without_validation_is_warned_of(load, deck, caplog):
    load(write(deck, DECK[:4]), split="published")
    assert "leaves no validation: a fifth of 4 pairs is none" in caplog.text


@pytest.fixture(scope="module")
def fra_eng(real_data) -> list[Pair]:
    path = real_data / "anki" / "fra-eng.zip"
    if not path.is_file():
        pytest.skip(f"no real deck at {path}")
    return read_pairs(path)


def test_the_real_deck_has_its_published_size(fra_eng):
    assert len(fra_eng) == 167_130
    assert len(sources(fra_eng[:10_000])) == 5_874
    assert fra_eng[0] == Pair("Go.", "Va !")


def test_the_real_deck_with_attributions_is_read(real_data):
    path = real_data / "anki" / "fra-with-attribution.txt"
    if not path.is_file():
        pytest.skip(f"no real deck at {path}")
    lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    assert all(line.count("\t") == 2 for line in lines)
    pairs = read_pairs(path)
    assert len(pairs) == len(lines)
    assert not any("CC-BY" in pair.target for pair in pairs)


def test_the_phrasebook_reads_like_any_deck(load):
    data = load(paths.phrasebook(), max_words=4, reverse=True)
    assert max(len(pair.source.split()) for pair in data.training_pairs()) == 4


@pytest.mark.parametrize(
    ("name", "columns", "settings", "languages", "bleu"),
    [
        ("cmn-eng.txt", ("go", "去"), {}, ("en", "zh"), "zh"),
        ("cmn.txt", ("go", "去"), {"reverse": True}, ("zh", "en"), "13a"),
        ("jpn-eng.txt", ("これは本です", "go"), {}, ("en", "ja"), "13a"),  # its columns are the other way round
        ("jpn-eng.txt", ("これは本です", "go"), {"target_language": "zh"}, ("en", "zh"), "zh"),
        ("deck.txt", ("go", "va"), {}, (None, None), "13a"),
    ],
)
def test_a_decks_file_name_chooses_the_bleu_tokenizer(tmp_path, load, name, columns, settings, languages, bleu):
    source, target = columns
    data = load(write(tmp_path / name, [Pair(f"{source} {i}", f"{target} {i}") for i in range(9)]), **settings)
    assert (data.source_language, data.target_language) == languages
    assert data.bleu_tokenizer.name == bleu
