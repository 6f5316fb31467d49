import pytest

from seqlab.data.toy import IntegerPairs
from seqlab.special_tokens import BOS, EOS


def loaded(*pairs: tuple[str, str], **settings) -> IntegerPairs:
    data = IntegerPairs(pairs, **settings)
    data.setup("fit")
    return data


def test_every_split_has_every_pair():
    data = loaded(("1 2 3", "3 2"), ("0", "9 9 9 9"))
    assert data.splits == ["train", "val", "test"]
    for split in data.splits:
        examples = data.examples[split]
        assert [examples.source[row].tolist() for row in range(len(examples))] == [[5, 6, 7], [4]]
        assert [examples.target[row].tolist() for row in range(len(examples))] == [
            [BOS, 7, 6, EOS],
            [BOS, 13, 13, 13, 13, EOS],
        ]
    assert data.longest_target == 5


def test_the_vocabulary_runs_from_smallest_to_largest():
    data = loaded(("-2 3", "3 -2"), smallest=-2, largest=3)
    assert data.source_size == data.target_size == 4 + 6
    assert data.source_tokenizer.decode([4, 9]) == "-2 3"


def test_pairs_may_be_written_with_commas():
    examples = loaded(("1,2,3", "3, 2")).examples["train"]
    assert (examples.source[0].tolist(), examples.target[0].tolist()) == ([5, 6, 7], [BOS, 7, 6, EOS])


def test_an_example_reads_as_it_was_written():
    data = loaded(("1 2 3", "3 2"))
    assert data.source_text("test", 0) == "1 2 3"
    assert data.references("test", 0) == ["3 2"]


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], "pairs must be .*but is"),
        ([["1", "2", "3"]], r"pairs must be .*but is \[\['1', '2', '3'\]\]"),
        ([["1", "2"], ["1"]], "pairs must be .*but is"),
        ([["1", "10"]], r"10 is out of range; expected 0\.\.9"),
        ([["1", "one"]], r"'one' is not an integer; expected 0\.\.9"),
        ([["1", ""]], "no integers"),
    ],
)
def test_malformed_pairs_are_refused_with_their_value(pairs, message):
    with pytest.raises(ValueError, match=message):
        IntegerPairs(pairs)


def test_only_the_first_loader_after_a_resume_begins_in_the_middle():
    data = loaded(("1", "2"), ("3", "4"), ("5", "6"), batch_size=1)
    data.load_state_dict({"position": 2})
    assert data.state_dict() == {"position": 2}
    resumed, following = data.train_dataloader(), data.train_dataloader()
    assert (len(list(resumed)), len(list(following))) == (1, 3)
