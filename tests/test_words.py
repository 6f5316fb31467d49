"""Numbers and names as a person says and sorts them."""

import pytest

from seqlab.words import duration, natural, plural, printable


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "a second"), (42.4, "42 s"), (200, "3 min 20 s"), (59.9, "60 s"), (7500, "2 h 5 min")],
)
def test_durations_are_short(seconds, text):
    assert duration(float(seconds)) == text


def test_one_is_no_plural():
    assert [plural(count, "trial") for count in (0, 1, 2)] == ["0 trials", "1 trial", "2 trials"]


def test_numbers_in_names_count_as_numbers():
    assert sorted(["run10", "run2", "10", "9", "run"], key=natural) == ["9", "10", "run", "run2", "run10"]


def test_what_controls_a_terminal_is_shown_as_its_escape():
    assert printable("naïve\u00a0漢 [b] 'x'") == "naïve\u00a0漢 [b] 'x'"
    assert printable("\x1b[2J\n\x07\u202e") == "\\x1b[2J\\n\\x07\\u202e"
