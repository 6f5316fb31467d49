"""How messages are worded."""

import os
import shutil

import pytest

from hydra_pruning_sweeper.messages import (
    ago,
    duration,
    error_in,
    error_lines,
    labelled,
    plural,
    printable,
    signed,
    unbroken,
    wrapped,
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "a second"), (42.4, "42 s"), (200, "3 min 20 s"), (59.9, "60 s"), (7500, "2 h 5 min")],
)
def test_durations_are_short(seconds, text):
    assert duration(float(seconds)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((-5, "0 s ago"), (59.9, "59 s ago"), (60, "1 min ago"), (3599, "59 min ago"), (3600, "1 h ago")),
        *((48 * 3600 - 1, "47 h ago"), (48 * 3600, "2 days ago"), (1e7, "115 days ago")),
    ],
)
def test_how_long_ago_is_told_in_one_unit(seconds, text):
    assert ago(float(seconds)) == text


@pytest.mark.parametrize(
    ("value", "form", "text"), [(-0.254, ".2f", "−0.25"), (1234.4, ",.0f", "+1,234"), (-0.001, "z.1f", "+0.0")]
)
def test_a_difference_has_a_sign_at_which_no_line_ends(value, form, text):
    assert signed(value, form) == text


def test_one_is_no_plural():
    assert [plural(count, "trial") for count in (0, 1, 2)] == ["0 trials", "1 trial", "2 trials"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("red\x9b31m", r"red\x9b31m"),
        ("two\nlines\tand\r", r"two\nlines\tand\r"),
        ("abc\u202egpj", r"abc\u202egpj"),
        ("\u2066a\u2069\u2028", r"\u2066a\u2069\u2028"),
        ("half \ud83d", r"half \ud83d"),
        ("日本語 été 👩\u200d👩 [red] \\x", "日本語 été 👩\u200d👩 [red] \\x"),
    ],
)
def test_what_steers_a_terminal_is_written_out(text, shown):
    assert printable(text) == shown


def test_a_line_is_as_wide_as_the_terminal_and_goes_on_below_its_text(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert labelled("space", "optimizer.lr, model.width, model.cell") == (
        "space       optimizer.lr, model.width,\n            model.cell"
    )
    assert wrapped("a " * 19 + "b c", indent=2) == f"{'a ' * 19}b\n  c"


def test_of_two_paths_each_has_a_line_of_its_own_where_they_are_too_long(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    one, other = "/a-folder/" + "long-" * 6, "/another/" + "long-" * 6
    assert labelled("kept in", f"{one} and {other}").split("\n") == [
        "kept in",
        f"            {one}",
        "            and",
        f"            {other}",
    ]


def test_what_is_unbroken_stays_in_one_line(monkeypatch):
    monkeypatch.setenv("COLUMNS", "10")
    assert wrapped(f"it takes {unbroken('3 s')}") == "it takes\n3 s"
    assert wrapped("it takes 3 s") == "it takes 3\ns"


def test_without_a_terminal_a_line_has_80_columns(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(shutil, "get_terminal_size", lambda fallback=(80, 24): os.terminal_size(fallback))
    assert max(map(len, wrapped("word " * 100).splitlines())) == 79


def test_an_error_fits_the_terminal_and_is_found_in_a_log_in_one_line(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    text = "it goes wrong somewhere; go on with program -m a=1 b.c=2 and see whether it comes back"
    lines = error_lines(text).splitlines()
    assert lines[0].startswith("error: it goes") and max(map(len, lines)) <= 40
    assert any("program -m a=1 b.c=2" in line for line in lines)
    assert error_in(["error: other", *lines, "goodbye"]) == text
    assert error_in(["no", "  such"]) is None
    assert error_lines("/a-folder/" + "long-" * 9 + ": gone").splitlines()[0].startswith("error: /a-folder/")
