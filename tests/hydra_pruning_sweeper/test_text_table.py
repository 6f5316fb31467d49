"""One description of a table, and how it looks on a terminal, in Markdown and in a pipe."""

import io

import pytest
from rich.console import Console

from hydra_pruning_sweeper.text_table import TextTable, tsv_cells, tsv_line


def shown(table, width):
    file = io.StringIO()
    table.show(Console(file=file, width=width))
    return [line.rstrip() for line in file.getvalue().splitlines()]


def figures(rows=(("gru", "1", "1,234,567"), ("transformer", "22", "8"))):
    return TextTable(["model", "runs", "target tokens"], "lrr", rows=rows)


def test_text_is_aligned_left_and_numbers_right():
    assert shown(figures(), 80) == [
        "model        runs  target tokens",
        "gru             1      1,234,567",
        "transformer    22              8",
    ]


def test_a_table_that_just_fits_is_neither_folded_nor_split():
    assert shown(figures(), figures().width) == shown(figures(), 80)
    assert shown(figures(), figures().width - 1) != shown(figures(), 80)
    assert len(shown(figures(), 28)) == 4  # heads folded, in one part
    assert len(shown(figures(), 27)) > 4


def test_heads_are_folded_before_the_table_is_split():
    assert shown(figures(), 28) == [
        "                      target",
        "model        runs     tokens",
        "gru             1  1,234,567",
        "transformer    22          8",
    ]


def test_a_narrow_terminal_gets_parts_that_repeat_the_labels():
    parts = "\n".join(shown(figures(), 24)).split("\n\n")
    assert [[line.split() for line in part.splitlines()] for part in parts] == [
        [["model", "runs"], ["gru", "1"], ["transforme", "22"], ["r"]],
        [["target"], ["model", "tokens"], ["gru", "1,234,567"], ["transforme", "8"], ["r"]],
    ]


@pytest.mark.parametrize("width", [20, 30, 50, 100])
def test_no_number_is_cut_off(width):
    table = TextTable(["path", *"abcdef"], "lrrrrrr", rows=[["/long" * 9, *(f"{10**i:,}" for i in range(6))]])
    lines = shown(table, width)
    assert max(map(len, lines)) <= width
    assert {f"{10**i:,}" for i in range(6)} <= {word for line in lines for word in line.split()}


def test_cells_hold_no_markup_and_nothing_that_controls_the_terminal():
    assert shown(TextTable(["[bold]"], "l", rows=[["\x1b[2J"], ["a\nb"]]), 80) == ["[bold]", r"\x1b[2J", r"a\nb"]


def test_cells_missing_at_the_end_of_a_row_are_empty():
    table = figures([])
    table.add("gru", style="bold")
    assert table.rows == [["gru", "", ""]]
    assert shown(table, 80)[1] == "gru"


def test_an_empty_table_is_its_heads():
    assert shown(figures([]), 80) == ["model  runs  target tokens"]
    assert figures([]).markdown() == "| model | runs | target tokens |\n| --- | ---: | ---: |\n"


def test_a_display_that_is_redrawn_cuts_what_is_too_long():
    file = io.StringIO()
    table = TextTable(["trial", "settings"], "rl", rows=[["3", "lr=0.1 " * 20]])
    Console(file=file, width=30).print(table.cut_to_fit(30))
    lines = [line.rstrip() for line in file.getvalue().splitlines()]
    assert lines == ["trial  settings", "    3  lr=0.1 lr=0.1 lr=0.1 l…"]


def test_markdown_escapes_bars():
    assert TextTable(["a|b", "n"], "lr", rows=[["c|d", "1"]]).markdown() == (
        "| a\\|b | n |\n| --- | ---: |\n| c\\|d | 1 |\n"
    )


def test_an_alignment_is_for_every_column():
    with pytest.raises(ValueError, match="align has 1 letters for 2 columns"):
        TextTable(["a", "b"], "l")


@pytest.mark.parametrize("cells", [["a", "b"], ["", ""], ["\t\n\r", "\\t", "\\\\n"], ["a\\\tb"], ["\u2028 é"]])
def test_a_line_separated_by_tabs_is_read_back(cells):
    line = tsv_line(cells)
    assert "\n" not in line and line.count("\t") == len(cells) - 1
    assert tsv_cells(line) == cells


def test_text_from_right_to_left_leaves_other_columns_in_their_order_on_a_terminal():
    table = TextTable(["text", "count"], "lr", rows=[("שלום", "1"), ("go", "22")])
    assert shown(table, 80) == ["text  count", "\u2068שלום\u2069      1", "go       22"]
    assert "| שלום | 1 |" in table.markdown()
