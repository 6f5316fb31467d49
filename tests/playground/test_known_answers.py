"""Right answers are those of the datasets themselves."""

import os

import pytest

from seqlab.data.dates import Dates, iso_of
from seqlab.data.numbers import Numbers
from seqlab.data.reversal import Reversal
from seqlab.playground.known_answers import data_of, known_answer
from seqlab.text.tokenizers import CharacterTokenizer


@pytest.mark.parametrize(
    "data",
    [
        Dates(CharacterTokenizer.fit, samples=300, seed=3),
        Numbers(CharacterTokenizer.fit, samples=300, seed=3),
        Numbers(CharacterTokenizer.fit, language="de", samples=300, seed=3),
    ],
)
def test_the_answer_to_a_source_of_the_data_is_its_target(data):
    answer = known_answer(data.describe())
    pairs = [pair for split in data.pairs().values() for pair in split]
    assert len(pairs) == 300
    assert [answer(pair.source) for pair in pairs] == [pair.target for pair in pairs]


def test_a_list_is_reversed_whatever_is_between_its_numbers():
    answer = known_answer(Reversal(samples=100).describe())
    assert answer(" 3, 1 2,2 ") == "2 2 1 3" and answer(" ") is None


@pytest.mark.parametrize("source", ["", "31 February 2021", "tomorrow", "03/04/2021", "9" * 41, "March 3 2021"])
def test_what_is_no_date_has_no_answer(source):
    assert iso_of(source) is None


@pytest.mark.parametrize("source", ["91", "es 91", "fr 0", "fr 1000000", "fr", ""])
def test_what_is_no_number_has_no_answer(source):
    assert known_answer(Numbers(CharacterTokenizer.fit).describe())(source) is None


def test_of_other_data_no_answer_is_known(tmp_path):
    assert known_answer("Multi30k de→en") is None and known_answer("") is None
    assert data_of(tmp_path) == ""
    card = b"\xff\nTrained by seqlab on dates of 1 to 2. To use it (FOLDER\n"
    (tmp_path / "README.md").write_bytes(card + b"x" * 10**6)
    assert data_of(tmp_path) == "dates of 1 to 2"
    (tmp_path / "README.md").unlink()
    os.mkfifo(tmp_path / "README.md")
    assert data_of(tmp_path) == ""
