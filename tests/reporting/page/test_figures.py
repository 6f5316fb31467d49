"""Plots put figures where they belong and say in words and numbers what they show."""

import re
from xml.etree import ElementTree

import pytest

from seqlab.reporting.page.figures import REST, TOP, Axis, Series, axis, bars, line_plot, short


def test_a_straight_axis_and_one_of_factors():
    assert Axis(10, 20, 0, 100)(15) == 50
    assert Axis(1, 100, 0, 100, log=True)(10) == 50
    assert Axis(0, 4, 300, 100)(1) == 250  # upright: more is higher, and y falls


@pytest.mark.parametrize(
    ("made", "ticks"),
    [
        (Axis(0, 1, 0, 1), [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (Axis(-3, 11, 0, 1), [0, 5, 10]),
        (Axis(7, 23, 0, 1), [10, 15, 20]),
        (Axis(0.9, 110, 0, 1, log=True), [1, 2, 5, 10, 20, 50, 100]),
        (Axis(1e-4, 3, 0, 1, log=True), [1e-4, 1e-3, 0.01, 0.1, 1]),
        (Axis(2.0, 2.4, 0, 1, log=True), [2.0, 2.1, 2.2, 2.3, 2.4]),
    ],
)
def test_ticks_are_few_and_round(made, ticks):
    assert made.ticks() == pytest.approx(ticks)


@pytest.mark.parametrize("values", [[3.0], [0.0, 0.0], [-1.0, -1.0]])
def test_an_axis_of_one_value_has_room(values):
    made = axis(values, 0, 100)
    assert 0 < made(values[0]) < 100


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12000, "12k"),
        (1234, "1234"),
        (2.5e6, "2.5M"),
        (3.2e9, "3.2G"),
        (0.000123, "1.23e−4"),
        (0.0001, "1e−4"),
        (0, "0"),
    ],
)
def test_figures_are_written_short(value, text):
    assert short(value) == text


def plotted():
    series = [
        Series("a<b", 0, [(1, 0.2), (2, 0.4)], band=[(0.1, 0.3), (0.3, 0.5)]),
        Series("two", 1, [(2, 0.6)], joined=False),
    ]
    return line_plot("some", "A & B", "epoch", "share", series, marks=[(1.5, "half")], percent=True)


def test_a_plot_has_a_title_a_text_and_its_numbers():
    figure = plotted()
    svg = ElementTree.fromstring(str(figure.svg))
    labels = svg.attrib["aria-labelledby"].split()
    texts = {part.attrib["id"]: part.text for part in svg if "id" in part.attrib}
    assert svg.attrib["role"] == "img" and texts[labels[0]] == "A & B" and "a<b, two" in texts[labels[1]]
    assert figure.heads == ["epoch", "a<b", "two"]
    assert figure.rows == [["1", "20%", ""], ["2", "40%", "60%"]]
    assert figure.legend == [("a<b", 0), ("two", 1)]


def test_points_stand_where_their_figures_are():
    points = [
        tuple(map(float, found))
        for found in re.findall(r'class="point" transform="translate\((\S+) (\S+)\)"', str(plotted().svg))
    ]
    (x1, y1), (x2, y2), (x3, y3) = points
    assert x1 < x2 == x3 and y1 > y2 > y3 and y1 - y2 == pytest.approx(y2 - y3, abs=0.11)


def test_trials_of_one_kind_share_a_line_in_the_legend():
    series = [Series(f"trial {n}", 1, [(1.0, float(n)), (2.0, n / 2)], kind="pruned") for n in range(3)]
    figure = line_plot("x", "t", "a", "b", series)
    assert figure.legend == [("pruned", 1)] and figure.heads[1:] == ["trial 0", "trial 1", "trial 2"]
    assert str(figure.svg).count('data-series="pruned"') == 3


def test_bars_are_as_long_as_their_values():
    widths = [
        float(width)
        for width in re.findall(
            r'class="c3 bar".*?width="(\S+)"', str(bars("b", "t", "x", [("p", 0.8), ("q", 0.2)]).svg)
        )
    ]
    assert widths[0] == pytest.approx(4 * widths[1], rel=0.01)


def test_lines_in_the_background_are_drawn_first_and_show_their_names_on_hover():
    series = [
        Series("front", 0, [(1.0, 2.0), (2.0, 3.0)]),
        Series("one", REST, [(1.0, 1.0), (2.0, 1.0)], band=[(0.5, 1.5)] * 2, kind="2 more"),
        Series("two", REST, [(1.0, 2.0), (2.0, 1.0)], kind="2 more"),
    ]
    figure = line_plot("x", "t", "a", "b", series)
    svg = str(figure.svg)
    assert figure.legend == [("front", 0), ("2 more", REST)] and figure.heads == ["a", "front", "one", "two"]
    assert svg.index('data-series="2 more"') < svg.index('data-series="front"') and "band" not in svg
    assert "<title>one</title>" in svg and svg.count('class="point"') == 2  # those of the line in front


def test_the_text_of_a_mark_is_above_the_plot():
    (y,) = re.findall(r'class="small" x="[^"]+" y="([^"]+)"', str(plotted().svg))
    assert 16 < float(y) < TOP  # below the name of the axis
