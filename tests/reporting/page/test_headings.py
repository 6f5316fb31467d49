"""A heading says the settings that tell a dataset from others in words."""

import pytest
from reporting.page.made_up import digest, found, gathered, reference

from seqlab.reporting.page.headings import heading, in_words, title


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("samples", 10000, "10,000 samples"),
        ("fill", False, "not filled up"),
        ("seed", 2026, "data seed 2026"),
        ("min_frequency", 5, "words that occur at least 5 times"),
        ("min_frequency", 1, "all words"),
        ("_target_", "seqlab.text.tokenizers.WordTokenizer.fit", "words"),
        ("_target_", "my.Pieces", "Pieces"),
        ("split", [0.5, 0.25], "split [0.5, 0.25]"),
        ("val_share", 0.1, "val share 0.1"),
        ("shared_vocabulary", False, "no shared vocabulary"),
        ("max_pairs", None, "max pairs not set"),
    ],
)
def test_a_setting_is_said_in_words(name, value, words):
    assert in_words(name, value) == words


def test_two_datasets_of_one_name_differ_by_their_settings_in_words(tmp_path):
    runs = []
    for number, tokenizer in enumerate(("WordTokenizer", "SentencePieceTokenizer")):
        run = digest(test_set=str(number), overrides={"tokenizer": tokenizer})
        run["settings"]["data"] = {
            "tokenizer": {"_target_": f"seqlab.text.tokenizers.{tokenizer}.fit"},
            "val_share": 0.1,
        }
        run["settings"]["data"]["val_share"] += number / 10
        runs.append(run)
    groups = found(tmp_path, runs).groups[::-1]  # the newest run comes first
    assert [one.distinguishing for one in groups] == [
        "_target_=WordTokenizer, val_share=0.1",
        "_target_=SentencePieceTokenizer, val_share=0.2",
    ]
    assert [heading(one) for one in groups] == [
        "Multi30k de→en (words, val share 0.1)",
        "Multi30k de→en (word pieces, val share 0.2)",
    ]


def test_a_dataset_that_is_alone_has_its_name(tmp_path):
    (group,) = found(tmp_path, [digest()]).groups
    assert (heading(group), title([group])) == ("Multi30k de→en", "Multi30k de→en (yours)")


def test_a_heading_says_how_far_training_went_where_test_goes_further(tmp_path):
    run = digest(data="reversal of 1 to 20 integers")
    run["settings"]["data"] = {"max_length": 10, "test_max_length": 20}
    (group,) = found(tmp_path / "further", [run]).groups
    assert heading(group) == "Reversal of 1 to 20 integers (up to 10 tokens in training)"
    run["settings"]["data"]["max_length"] = 20
    (group,) = found(tmp_path / "alike", [run]).groups
    assert heading(group) == "Reversal of 1 to 20 integers"


def test_a_title_says_that_all_its_runs_are_references(tmp_path):
    (group,) = gathered(tmp_path, reference()).groups
    assert title([group]) == "Multi30k de→en (reference)"
