"""Plots as inline SVG: lines, points and bars, each with a text alternative and its numbers as a table.

Colours are classes of the page's style (`class="c0"` … `c7`), so that they follow dark and light. Each colour has a
marker of its own, so that nobody needs to see colours. A ninth, `REST`, is grey, for the lines in the background.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from markupsafe import Markup

WIDTH, HEIGHT = 460, 320
LEFT, RIGHT, TOP, BOTTOM = 52, 20, 40, 44
MARKERS = ("M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0", "M-3.6-3.6h7.2v7.2h-7.2z", "M0-5L5 4H-5z", "M0-5L5 0L0 5L-5 0z")
EMPHASISED, REST = 8, 8  # the number of lines that a plot shows in colour, and the colour of its other lines
MARKED = 24  # lines with more points than this show no markers


@dataclass(frozen=True)
class Series:
    """A line or points.

    Args:
        name, colour: in the legend, unless that lists a `kind`. A line in `REST` is thin, and shows its name on hover.
        points: in order of x.
        band: around the line: (lowest, highest) y per point.
        joined: whether a line joins the points.
        steps: whether that line stays level until the next point.
        kind: what the legend lists instead of the names of many series.
        marked: whether its points are to be seen; they have tooltips all the same.
    """

    name: str
    colour: int
    points: list[tuple[float, float]]
    band: list[tuple[float, float]] = field(default_factory=list)
    joined: bool = True
    steps: bool = False
    kind: str = ""
    marked: bool = True

    @property
    def shown(self) -> str:
        """The name in the legend."""
        return self.kind or self.name


@dataclass(frozen=True)
class Figure:
    """A plot with its title, legend and numbers.

    Args:
        id: unique on the page.
        title, note: above and below the plot.
        svg: the drawing.
        legend: names and colours, in order.
        heads, rows: its numbers as a table.
    """

    id: str
    title: str
    note: str
    svg: Markup
    legend: list[tuple[str, int]]
    heads: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Axis:
    """Maps values to coordinates in the drawing.

    Args:
        low, high: range of the values.
        start, end: range of the coordinates.
        log: whether the scale is logarithmic.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The coordinate of a value."""
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        """Round values along the axis, mostly four to eight."""
        if self.log:
            powers = range(math.floor(math.log10(self.low)) - 1, math.ceil(math.log10(self.high)) + 1)
            for firsts in ((1, 2, 5), (1, 3), (1,)):
                ticks = [first * 10.0**power for power in powers for first in firsts]
                ticks = [value for value in ticks if self.low <= value * (1 + 1e-9) and value <= self.high * (1 + 1e-9)]
                if len(ticks) <= 8:
                    break
            if len(ticks) >= 2:
                return ticks
        size = 10.0 ** math.floor(math.log10((self.high - self.low) / 4))
        step = next(size * factor for factor in (1, 2, 5, 10) if (self.high - self.low) / (size * factor) <= 6)
        first = math.ceil(self.low / step - 1e-9)
        return [n * step for n in range(first, math.floor(self.high / step + 1e-9) + 1)]


def axis(values: Sequence[float], start: float, end: float, log: bool = False, zero: bool = False) -> Axis:
    """An axis that covers all of `values`; with `zero` it begins at 0."""
    low, high = min(values), max(values)
    if log:
        return Axis(low / 1.1, high * 1.1, start, end, log=True)
    if zero:
        low = min(0.0, low)
    room = (high - low or abs(high) or 1.0) * 0.05
    return Axis(low if zero and low == 0 else low - room, high + room, start, end)


def short(value: float) -> str:
    """A short text for a value: 12,000 as 12k, 0.00032 as 3.2e−4."""
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if sign == 'k' else size):.3g}{sign}"
    if 0 < abs(value) < 1e-3:
        digits, _, power = f"{value:.2e}".partition("e-")
        return f"{digits.rstrip('0').rstrip('.')}e−{int(power)}"
    return f"{value:.4g}"


def line_plot(
    id: str,
    title: str,
    x: str,
    y: str,
    series: Sequence[Series],
    *,
    note: str = "",
    log_x: bool = False,
    log_y: bool = False,
    zero: bool = False,
    marks: Sequence[tuple[float, str]] = (),
    labels: Sequence[str] = (),
    percent: bool = False,
    whole: bool = False,
) -> Figure:
    """A plot of lines or points.

    Args:
        x, y: names of the axes.
        zero: whether the y axis begins at 0.
        marks: (x, text) of vertical dotted lines.
        labels: names of x = 0, 1, …, shown instead of the numbers.
        percent: whether y values are shares, to be shown in percent.
        whole: whether x takes whole numbers only.
    """
    shown: Callable[[float], str] = (lambda value: f"{value:.3g}%") if percent else short
    scale = 100 if percent else 1
    series = [one for one in series if one.points]
    xs = [point[0] for one in series for point in one.points] + [at for at, _ in marks]
    ys = [scale * point[1] for one in series for point in one.points]
    ys += [scale * bound for one in series for bounds in one.band for bound in bounds]
    across = Axis(-0.3, len(labels) - 0.7, LEFT, WIDTH - RIGHT) if labels else axis(xs, LEFT, WIDTH - RIGHT, log_x)
    up = axis(ys, HEIGHT - BOTTOM, TOP, log_y, zero)
    parts = [_frame(across, up, x, y, shown, labels, whole)]
    for at, word in marks:
        position = across(at)
        parts.append(Markup('<line class="mark" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(position, TOP, up.start))
        anchor = "end" if position > WIDTH / 2 else "start"
        text = Markup('<text class="small" x="{}" y="{}" text-anchor="{}">{}</text>')
        parts.append(text.format(position, TOP - 6, anchor, word))
    name = (lambda value: labels[int(value)]) if labels else short
    for one in sorted(series, key=lambda one: one.colour != REST):  # those in the background are drawn first
        coordinates = [(across(a), up(scale * b)) for a, b in one.points]
        texts = [f"{one.name}: {name(a)}, {shown(scale * b)}" for a, b in one.points]
        band = [(up(scale * low), up(scale * high)) for low, high in one.band]
        parts.append(_drawn(one, coordinates, texts, band))
    names = ", ".join(dict.fromkeys(one.shown for one in series))
    return Figure(
        id,
        title,
        note,
        _svg(id, title, f"{y} against {x}; {names}. The numbers are in the table below.", parts),
        list(dict.fromkeys((one.shown, one.colour) for one in series)),
        [x, *(one.name for one in series)],
        _rows(series, name, lambda value: shown(scale * value)),
    )


def bars(id: str, title: str, x: str, values: Sequence[tuple[str, float]], note: str = "") -> Figure:
    """A horizontal bar per value, starting at 0, with its name above it."""
    height = TOP + 40 * len(values)
    along = axis([value for _, value in values], LEFT / 2, WIDTH - 70, zero=True)
    parts = []
    for row, (label, value) in enumerate(values):
        top = TOP + 40 * row
        parts.append(
            Markup(
                '<text x="{left}" y="{above}">{label}</text>'
                '<rect class="c3 bar" x="{left}" y="{top}" width="{width}" height="12" rx="2"/>'
                '<text class="small" x="{end}" y="{middle}">{value}</text>'
            ).format(
                left=along.start,
                above=top + 4,
                label=label,
                top=top + 10,
                width=max(1.0, round(along(value) - along.start, 1)),
                end=along(value) + 6,
                middle=top + 20,
                value=f"{value:.3g}",
            )
        )
    svg = _svg(id, title, f"{x} of {', '.join(label for label, _ in values)}.", parts, height)
    return Figure(id, title, note, svg, [], ["", x], [[label, f"{value:.4g}"] for label, value in values])


def _svg(id: str, title: str, text: str, parts: Sequence[Markup], height: float = HEIGHT) -> Markup:
    return Markup(
        '<svg viewBox="0 0 {width} {height}" role="img" aria-labelledby="{id}-title {id}-text">'
        '<title id="{id}-title">{title}</title><desc id="{id}-text">{text}</desc>{parts}</svg>'
    ).format(width=WIDTH, height=height, id=id, title=title, text=text, parts=Markup("").join(parts))


def _frame(
    across: Axis, up: Axis, x: str, y: str, shown: Callable[[float], str], labels: Sequence[str], whole: bool
) -> Markup:
    parts = []
    for value in up.ticks():
        position = up(value)
        parts.append(
            Markup(
                '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/><text class="tick" x="{}" y="{}"'
                ' text-anchor="end">{}</text>'
            ).format(across.start, across.end, position, position, across.start - 6, position + 4, shown(value))
        )
    if labels:
        every = math.ceil(len(labels) / 8)
        ticks = [(float(i), label) for i, label in enumerate(labels) if i % every == 0]
    else:
        ticks = [(value, short(value)) for value in across.ticks() if not whole or value == round(value)]
    for value, text in ticks:
        parts.append(
            Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(
                across(value), up.start + 17, text
            )
        )
    parts.append(
        Markup(
            '<line class="axis" x1="{}" x2="{}" y1="{y}" y2="{y}"/>'
            '<text class="name" x="{end}" y="{below}" text-anchor="end">{x}</text>'
            '<text class="name" x="4" y="16">{name}</text>'
        ).format(across.start, across.end, y=up.start, end=across.end, below=HEIGHT - 8, x=x, name=y)
    )
    return Markup("").join(parts)


def _drawn(
    one: Series, coordinates: list[tuple[float, float]], texts: list[str], band: list[tuple[float, float]]
) -> Markup:
    """A series: its band, its line, a marker per point (invisible if there are many, but they still have tooltips)."""
    parts = []
    if band and one.colour != REST:
        there = [f"{x} {low}" for (x, _), (low, _) in zip(coordinates, band, strict=True)]
        back = [f"{x} {high}" for (x, _), (_, high) in zip(coordinates, band, strict=True)]
        parts.append(Markup('<path class="band" d="M{}Z"/>').format("L".join([*there, *back[::-1]])))
    if one.joined and len(coordinates) > 1:
        corners = list(coordinates)
        if one.steps:
            corners = [coordinates[0], *(corner for a, b in pairwise(coordinates) for corner in ((b[0], a[1]), b))]
        route = "L".join(f"{x} {y}" for x, y in corners)
        parts.append(Markup('<path class="line" d="M{}"/>').format(route))
        # A thin line is hard to point at: a wide one that is not seen has its name.
        parts.append(Markup('<path class="reach" d="M{}"><title>{}</title></path>').format(route, one.name))
    crowded = len(coordinates) > (1 if one.colour == REST else MARKED) or one.steps
    seen = "point unseen" if one.joined and (crowded or not one.marked) else "point"
    for (x, y), text in zip(coordinates, texts, strict=True):
        parts.append(
            Markup('<path class="{}" transform="translate({} {})" d="{}"><title>{}</title></path>').format(
                seen, x, y, MARKERS[one.colour % len(MARKERS)], text
            )
        )
    body = Markup("").join(parts)
    return Markup('<g class="series c{}" data-series="{}">{}</g>').format(one.colour, one.shown, body)


def _rows(series: Sequence[Series], name: Callable[[float], str], shown: Callable[[float], str]) -> list[list[str]]:
    """The numbers of all series, a row per x."""
    known = [dict(one.points) for one in series]
    return [
        [name(x), *(shown(values[x]) if x in values else "" for values in known)]
        for x in sorted({x for values in known for x in values})
    ]


def marker(colour: int) -> Markup:
    """The symbol of a series in a legend."""
    return Markup(
        '<svg viewBox="-12 -7 24 14" width="24" height="14" aria-hidden="true" class="c{}">'
        '<path class="line" d="M-12 0H12"/><path class="point" d="{}"/></svg>'
    ).format(colour, MARKERS[colour % len(MARKERS)])
