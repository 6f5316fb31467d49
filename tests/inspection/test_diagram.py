"""A diagram can be read: no two boxes overlap, no arrow runs through a box or over a text that is not its end."""

import re
from itertools import combinations
from typing import NamedTuple
from xml.etree import ElementTree

import pytest
from hydra import initialize_config_dir
from support import ROOT

from seqlab.inspection.diagram import diagram
from seqlab.inspection.model_summary import architectures

SVG = "{http://www.w3.org/2000/svg}"
MODELS = sorted(path.stem for path in (ROOT / "conf/model").glob("*.yaml"))
SLACK = 0.5  # coordinates are rounded to a tenth


class Area(NamedTuple):
    """A rectangle."""

    left: float
    top: float
    right: float
    bottom: float
    label: str

    def holds(self, x, y, slack=SLACK):
        """Whether a point is in it; its border counts, and with a negative slack it does not."""
        inside = self.left - slack <= x <= self.right + slack
        return inside and self.top - slack <= y <= self.bottom + slack

    def contains(self, other):
        return self.holds(other.left, other.top) and self.holds(other.right, other.bottom)

    def overlaps(self, other):
        across = min(self.right, other.right) - max(self.left, other.left)
        return across > SLACK and min(self.bottom, other.bottom) - max(self.top, other.top) > SLACK


def box_of(rect):
    x, y, width, height = (float(rect.get(name)) for name in ("x", "y", "width", "height"))
    return Area(x, y, x + width, y + height, f"box at {x:.0f}, {y:.0f}")


def text_of(element):
    """The area of a text in DejaVu Sans, the widest of the usual fonts: see `glyph`."""
    size, bold = float(element.get("font-size", 12)), element.get("font-weight") == "600"
    width = sum(glyph(letter, bold) for letter in element.text) * size
    x, y = float(element.get("x")), float(element.get("y"))
    left = x - {"end": width, "middle": width / 2}.get(element.get("text-anchor"), 0.0)
    return Area(left, y - 0.76 * size, left + width, y + 0.1 * size, element.text)


def glyph(letter, bold):
    """The width of a letter as a share of the font's size, rather more than less."""
    narrow, wide = letter in "ijl.,;:'|ft r()[]", letter in "mwMWGOQ…@%×↻+=_"
    share = 0.4 if narrow else 0.87 if wide else 0.72 if letter.isupper() else 0.64
    return share * (1.1 if bold else 1.0)


def points_of(path):
    """Points along a path of straight lines and curves, close to each other."""
    x = y = 0.0
    points = []
    for command, text in re.findall(r"([MHVC])([^MHVC]*)", path):
        numbers = [float(number) for number in text.split()]
        if command == "C":
            corners = [(x, y), *zip(numbers[::2], numbers[1::2], strict=True)]
            points += [bezier(corners, step / 60) for step in range(61)]
        else:
            end = {"M": numbers, "H": [*numbers, y], "V": [x, *numbers]}[command]
            start = end if command == "M" else (x, y)
            points += [tuple(a + (b - a) * step / 60 for a, b in zip(start, end, strict=True)) for step in range(61)]
        x, y = points[-1]
    return points


def bezier(corners, share):
    weights = ((1 - share) ** 3, 3 * share * (1 - share) ** 2, 3 * share**2 * (1 - share), share**3)
    return tuple(sum(w * corner[axis] for w, corner in zip(weights, corners, strict=True)) for axis in (0, 1))


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    """Architecture → its drawing."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cache = tmp_path_factory.mktemp("cache")
        structures = architectures("model_size=small", "data.samples=40", f"data.cache={cache}")
    return {name: ElementTree.fromstring(diagram(one)) for name, one in structures.items()}


def areas_of(svg):
    boxes = [box_of(rect) for rect in svg.iter(f"{SVG}rect")]
    texts = [text_of(text) for text in svg.iter(f"{SVG}text")]
    return boxes, texts


@pytest.mark.parametrize("model", MODELS)
def test_boxes_are_beside_or_within_each_other(drawings, model):
    boxes, _ = areas_of(drawings[model])
    assert len(boxes) > 5
    for one, other in combinations(boxes, 2):
        assert not one.overlaps(other) or one.contains(other) or other.contains(one), (one, other)


@pytest.mark.parametrize("model", MODELS)
def test_an_arrow_runs_through_no_box_and_over_no_text_but_at_its_ends(drawings, model):
    boxes, texts = areas_of(drawings[model])
    arrows = [path.get("d") for path in drawings[model].iter(f"{SVG}path") if path.get("marker-end")]
    assert len(arrows) > 5
    for arrow in arrows:
        points = points_of(arrow)
        others = [one for one in boxes if not (one.holds(*points[0]) or one.holds(*points[-1]))]
        crossed = [one for one in (*others, *texts) if any(one.holds(*point, -SLACK) for point in points)]
        assert not crossed, (arrow, crossed)


@pytest.mark.parametrize("model", MODELS)
def test_an_arrow_touches_a_box_at_both_ends(drawings, model):
    boxes, _ = areas_of(drawings[model])
    for path in drawings[model].iter(f"{SVG}path"):
        if path.get("marker-end"):
            for x, y in (points_of(path.get("d"))[i] for i in (0, -1)):
                assert any(one.holds(x, y) for one in boxes), path.get("d")


@pytest.mark.parametrize("model", MODELS)
def test_a_text_fits_its_box_and_overlaps_no_other(drawings, model):
    boxes, texts = areas_of(drawings[model])
    width, height = map(float, drawings[model].get("viewBox").split()[2:])
    for one in texts:
        around = [box for box in boxes if box.holds((one.left + one.right) / 2, (one.top + one.bottom) / 2)]
        inner = min(around, key=lambda box: box.right - box.left, default=Area(0, 0, width, height, "all"))
        assert inner.contains(one), (one, inner)
    for one, other in combinations(texts, 2):
        assert not one.overlaps(other), (one, other)
