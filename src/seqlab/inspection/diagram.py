"""Draws an architecture as SVG, from its recorded structure (`seqlab.inspection.structure`).

The encoder is on the left, the decoder on the right, and the state that goes from one to the other is between them.
Columns are as wide as their texts need, so that nothing overlaps; arrows between columns run in the space between them.
Boxes are modules, in the order in which they first run, nested as the modules are. An arrow goes from the module that
made a tensor to the one that uses it. An arrow back to a module that ran before, as from one step to the next, is
dashed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

COLUMN, STATE, BETWEEN, MARGIN = 260.0, 150.0, 64.0, 14.0
"""Widths: of a column and of the state at least, of the space between them, of the margin."""
BOX, JOINT, GAP, PAD, LANE, TOP = 40.0, 20.0, 20.0, 11.0, 9.0, 64.0
INDENT, LONGEST = 8.0, 300.0
"""Space between a box and its text, and the width from which a name is cut."""
HEAD = 460.0
"""The drawing is at least as wide as this, so that the heading fits."""
OUTSIDE = -1
"""In edges, the index of everything before a box; the number of its parts is the index of everything after it."""

STYLE = (
    "font-family:system-ui,sans-serif;font-size:12px;max-width:100%;height:auto;color:inherit;"
    "--accent:var(--diagram-accent,#2a7ab8)"
)


@dataclass
class _Box:
    """A part, or a joint, and its position."""

    node: dict[str, Any]
    inside: list[_Box]
    edges: set[tuple[int, int]] = field(default_factory=set)  # between parts of `inside`, by index
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0

    @property
    def middle(self) -> float:
        return self.y + self.height / 2

    @property
    def centre(self) -> float:
        return self.x + self.width / 2


def diagram(structure: dict[str, Any], prefix: str = "diagram") -> str:
    """The drawing as one <svg> element for a page, whose colours it takes.

    It uses the colour of the text around it, and `--diagram-accent`.

    Args:
        structure: the result of `structure_of`.
        prefix: prefix of all ids; several drawings on one page need different ones.
    """
    phases = [phase for phase in ("encode", "decode") if structure[phase]["parts"]]  # plain text has no encoder
    columns = {phase: _column(structure, phase) for phase in phases}
    state = _Box({"path": "state"}, [_leaf(f"state.{one['name']}", one) for one in structure["state"]])
    crossings = [crossing for phase, column in columns.items() for crossing in _connect(column, structure[phase])]
    left, headings = MARGIN, ""
    width = max([STATE, *map(_needed, state.inside)])
    for phase, column in columns.items():
        _place(column, left, TOP, max(COLUMN, _needed(column)))
        headings += _text(column.inside[0].x, 56, phase, weight=600)
        left += column.width + width + 2 * BETWEEN
    height = max(column.y + column.height for column in columns.values())
    fields = {one.node["path"]: one for one in state.inside}
    first = next(iter(columns.values()))
    _place_state(state, first.x + first.width + BETWEEN, width, height, [box for _, box, *_ in crossings])
    shapes = [headings] + [_drawn(column) for column in columns.values()] + [_drawn_state(state)]
    for name, box, is_written, column in crossings:
        if name in fields:
            ends = (box, fields[name]) if is_written else (fields[name], box)
            shapes.append(_crossing(*ends, column, prefix))
    arrows = "".join(_arrows(column, prefix) for column in columns.values())
    return _svg(
        structure, prefix, max(left - width - 2 * BETWEEN + MARGIN, HEAD), height + MARGIN, "".join(shapes) + arrows
    )


def diagram_file(structure: dict[str, Any]) -> str:
    """The drawing as a file of its own: dark on light, or light on dark where whoever shows it prefers that."""
    head, mark, content = diagram(structure).partition("<title")
    dark = "@media(prefers-color-scheme:dark){svg{color:#e6edf3!important}}"
    # Opened by itself, a drawing lies on the browser's own ground, which follows `color-scheme`.
    style = f"<style>svg{{color-scheme:light dark;color:#1f2328!important}}{dark}</style>"
    return f"{head}{style}{mark}{content}"


def _svg(structure: dict[str, Any], prefix: str, width: float, height: float, content: str) -> str:
    axes = "   ".join(f"{letter} = {size:,}" for letter, size in structure["axes"].items())
    head = f"{structure['name']}, {structure['parameters']:,} parameters"
    headings = _text(MARGIN, 20, head, size=16, weight=600) + _text(
        MARGIN, 38, f"{axes}   ↻ n: runs n times", faint=True
    )
    marker = (
        f'<defs><marker id="{prefix}-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
        ' orient="auto"><path d="M0 0.8 8 4 0 7.2z" fill="currentColor"/></marker></defs>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="{prefix}-title {prefix}-desc"'
        f' viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" style="{STYLE}">'
        f'<title id="{prefix}-title">{escape(head)}</title>'
        f'<desc id="{prefix}-desc">{escape(described(structure))}</desc>{marker}{headings}{content}</svg>\n'
    )


def described(structure: dict[str, Any]) -> str:
    """The drawing in words."""
    phases = []
    for phase in ("encode", "decode"):
        parts = [_named(part, "") for part in structure[phase]["parts"] if "joint" not in part]
        phases.append(f"To {phase}, {structure['inputs'][phase][0]} goes through {', '.join(parts) or 'nothing'}.")
    fields = ", ".join(f"{one['name']} ({', '.join(map(_times, one['shapes']))})" for one in structure["state"])
    return " ".join([structure["about"], *phases, f"The state between them holds {fields or 'nothing'}."])


def _named(part: dict[str, Any], around: str) -> str:
    name = part["path"].removeprefix(f"{around}.")
    return f"{name} × {part['repeat']}" if part["repeat"] > 1 else name


def _times(shape: str) -> str:
    return "×".join(shape.split()) or "a number"


# What connects what -------------------------------------------------------------------------------------------


def _column(structure: dict[str, Any], phase: str) -> _Box:
    """All parts of a phase, with its input and output."""
    name, shape = structure["inputs"][phase]
    parts = [_leaf(name, {"shapes": [shape]}), *map(_boxed, structure[phase]["parts"])]
    if phase == "decode":
        name, shape = structure["output"]
        parts.append(_leaf(name, {"shapes": [shape]}))
    return _Box({"path": ""}, parts)


def _boxed(node: dict[str, Any], around: str = "") -> _Box:
    return _Box({**node, "around": around}, [_boxed(part, node["path"]) for part in node.get("parts", [])])


def _leaf(path: str, content: dict[str, Any]) -> _Box:
    return _Box({"path": path, "name": path.partition(".")[2] or path, "end": True, **content}, [])


def _connect(column: _Box, phase: dict[str, Any]) -> list[tuple[str, _Box, bool, _Box]]:
    """Sets the edges of each box: those between its parts.

    Returns:
        The edges to and from the state: the field, the outermost part, whether the part writes the field (True) or
        reads it, and the column.
    """
    chains: dict[str, list[tuple[_Box, int]]] = {}

    def visit(box: _Box, chain: list[tuple[_Box, int]]) -> None:
        for i, part in enumerate(box.inside):
            chains[part.node["path"]] = [*chain, (box, i)]
            visit(part, chains[part.node["path"]])

    visit(column, [])
    crossings: dict[tuple[str, int, bool], _Box] = {}
    for before, after in phase["edges"]:
        one, other = chains.get(before, []), chains.get(after, [])
        shared = 0
        while shared < min(len(one), len(other)) and one[shared] == other[shared]:
            shared += 1
        if one and other and shared < min(len(one), len(other)):
            box, i = one[shared]
            box.edges.add((i, other[shared][1]))
        elif one and not other:
            crossings[after, one[0][1], True] = column.inside[one[0][1]]
        elif other and not one:
            crossings[before, other[0][1], False] = column.inside[other[0][1]]
        for box, i in one[shared + 1 :]:
            box.edges.add((i, len(box.inside)))
        for box, i in other[shared + 1 :]:
            box.edges.add((OUTSIDE, i))
    return [(name, box, is_written, column) for (name, _, is_written), box in crossings.items()]


# Layout -------------------------------------------------------------------------------------------------------


def _lanes(box: _Box, back: bool) -> dict[tuple[int, int], int]:
    """A lane beside the parts for each arrow that skips parts or goes back; arrows that overlap get different lanes."""
    edges = [(i, j) for i, j in box.edges if (i >= j if back else j > i + 1)]
    lanes: list[list[tuple[int, int]]] = []
    lane_of: dict[tuple[int, int], int] = {}
    for edge in sorted(edges, key=lambda edge: (abs(edge[1] - edge[0]), edge)):
        low, high = min(edge), max(edge)
        free = (n for n, taken in enumerate(lanes) if all(high <= a or low >= b for a, b in taken))
        lane = next(free, len(lanes))
        if lane == len(lanes):
            lanes.append([])
        lanes[lane].append((low, high))
        lane_of[edge] = lane
    return lane_of


def _beside(box: _Box) -> tuple[float, float]:
    """The space that the arrows take to the right and to the left of the parts."""
    right, left = (LANE * (1 + max(_lanes(box, back).values(), default=-1)) for back in (False, True))
    return right, left


def _needed(box: _Box) -> float:
    """The width that a box needs for its texts and for everything inside it."""
    if "joint" in box.node:
        return _joint_width(box)
    inside = max(map(_needed, box.inside), default=0.0) + sum(_beside(box))
    if not box.node["path"]:
        return inside
    name, below, right = _lines(box)
    second = _length(below) + (2 * INDENT + _length(right) if right else 0.0)
    texts = 2 * INDENT + max(min(LONGEST, _length(name, bold=True)), second)
    return max(texts, inside + 2 * PAD if box.inside else 0.0)


def _joint_width(box: _Box) -> float:
    return 58.0 if len(box.node["joint"]) > 1 else JOINT


def _lines(box: _Box) -> tuple[str, str, str]:
    """The texts of a box: its name, what is below it, and what is below it on the right."""
    node = box.node
    if node.get("end"):
        begins = [f"begins as {node['begins']}"] if "begins" in node else []
        return node["name"], ", ".join([*map(_times, node["shapes"]), *begins]), ""
    shape = "" if node["shape"] is None else _times(node["shape"])
    calls = f"  ↻ {node['calls']}" if node["calls"] > 1 else ""
    return (
        _named(node, node["around"]),
        f"{node['class']}  {shape}{calls}",
        f"{node['parameters'] * node['repeat']:,}",
    )


def _length(text: str, bold: bool = False) -> float:
    """The length of a text in pixels; fonts differ, and this is that of a wide one (DejaVu Sans)."""
    wide = sum(letter.isupper() or letter in "mw×↻…_" for letter in text)
    return (7.4 * len(text) + 2.0 * wide) * (1.1 if bold else 1.0)


def _place(box: _Box, x: float, y: float, width: float) -> None:
    """Sets the position of a box and of everything inside it; its height follows from the content."""
    box.x, box.y, box.width = x, y, width
    if "joint" in box.node:
        box.width = _joint_width(box)
        box.x, box.height = x + (width - box.width) / 2, JOINT
        return
    if not box.inside:
        box.height = BOX
        return
    framed = bool(box.node["path"])
    right, left = _beside(box)
    pad = PAD if framed else 0.0
    top = y + (BOX + GAP * 0.7 if framed else 0.0)
    for part in box.inside:
        _place(part, x + pad + left, top, width - 2 * pad - left - right)
        top = part.y + part.height + GAP
    box.height = top - y - GAP + (GAP * 0.7 if framed else 0.0)


def _place_state(state: _Box, x: float, width: float, height: float, linked: Sequence[_Box]) -> None:
    """Places the state at the height of the parts that it is connected with."""
    size = len(state.inside) * (BOX + GAP) - GAP
    wanted = sum(box.middle for box in linked) / len(linked) - size / 2 if linked else TOP
    top = max(TOP, min(wanted, height - size))
    for one in state.inside:
        one.x, one.y, one.width, one.height = x, top, width, BOX
        top += BOX + GAP


# Drawing ------------------------------------------------------------------------------------------------------


def _drawn(box: _Box) -> str:
    """A box with everything inside it."""
    inside = "".join(map(_drawn, box.inside))
    node = box.node
    if not node["path"]:
        return inside
    if "joint" in node:
        return (
            f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height}" rx="{JOINT / 2}"'
            ' fill="none" stroke="currentColor" stroke-opacity=".6"/>'
            + _text(box.centre, box.middle + 4, node["joint"], anchor="middle")
        )
    return _frame(box, "var(--accent)" if node.get("end") else "currentColor") + _labels(box) + inside


def _drawn_state(state: _Box) -> str:
    return "".join(map(_drawn, state.inside))


def _frame(box: _Box, colour: str) -> str:
    return (
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="5"'
        f' fill="{colour}" fill-opacity=".05" stroke="{colour}" stroke-opacity=".55"/>'
    )


def _labels(box: _Box) -> str:
    """The texts of a box; of a name that is too long the end."""
    name, below, right = _lines(box)
    while _length(name, bold=True) > box.width - 2 * INDENT:
        name = f"…{name[2:].lstrip('.')}"
    return (
        _text(box.x + INDENT, box.y + 16, name, weight=600)
        + _text(box.x + INDENT, box.y + 32, below, faint=True)
        + (_text(box.x + box.width - INDENT, box.y + 32, right, anchor="end", faint=True) if right else "")
    )


def _text(
    x: float, y: float, text: str, size: int = 12, weight: int = 400, faint: bool = False, anchor: str = ""
) -> str:
    extra = f' text-anchor="{anchor}"' if anchor else ""
    extra += f' font-size="{size}"' if size != 12 else ""
    extra += f' font-weight="{weight}"' if weight != 400 else ""
    extra += ' fill-opacity=".75"' if faint else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="currentColor" xml:space="preserve"{extra}>{escape(text)}</text>'


def _arrows(box: _Box, prefix: str) -> str:
    """All arrows between the parts of a box, and inside them."""
    drawn = [_arrows(part, prefix) for part in box.inside]
    parts, end = box.inside, len(box.inside)
    forward, back = _lanes(box, back=False), _lanes(box, back=True)
    bottom = box.y + box.height
    for i, j in sorted(box.edges):
        if (i, j) in back:
            x = min(part.x for part in parts if part.height != JOINT) - LANE * (back[i, j] + 1) + 2
            one, other = parts[i], parts[j]
            route = f"M{one.x:.1f} {one.middle + 5:.1f}H{x:.1f}V{other.middle - 5:.1f}H{other.x:.1f}"
        elif (i, j) in forward:
            x = max(part.x + part.width for part in parts) + LANE * (forward[i, j] + 1) - 2
            start = f"M{x:.1f} {box.y + BOX:.1f}"
            if i != OUTSIDE:
                start = f"M{parts[i].x + parts[i].width:.1f} {parts[i].middle + 5:.1f}H{x:.1f}"
            stop = f"V{bottom:.1f}"
            if j != end:
                stop = f"V{parts[j].middle - 5:.1f}H{parts[j].x + parts[j].width:.1f}"
            route = start + stop
        else:
            top = box.y + BOX if i == OUTSIDE else parts[i].y + parts[i].height
            x = (parts[j] if j < end else parts[i]).centre
            route = f"M{x:.1f} {top:.1f}V{bottom if j == end else parts[j].y:.1f}"
        drawn.append(_path(route, prefix, dashed=(i, j) in back))
    return "".join(drawn)


def _crossing(one: _Box, other: _Box, column: _Box, prefix: str) -> str:
    """An arrow between a column and the state; inside a column, beside a joint, it runs level: there is no box."""
    x, y, end, level = one.x + one.width, one.middle, other.x, other.middle
    leaves = column.x + column.width if "joint" in one.node else x
    enters = column.x if "joint" in other.node else end
    bend = (leaves + enters) / 2
    route = (
        f"M{x:.1f} {y:.1f}H{leaves:.1f}C{bend:.1f} {y:.1f} {bend:.1f} {level:.1f} {enters:.1f} {level:.1f}H{end:.1f}"
    )
    return _path(route, prefix, accent=True)


def _path(route: str, prefix: str, dashed: bool = False, accent: bool = False) -> str:
    extra = ' stroke-dasharray="4 3"' if dashed else ""
    extra += f' stroke="{"var(--accent)" if accent else "currentColor"}" marker-end="url(#{prefix}-arrow)"'
    return f'<path d="{route}" fill="none" stroke-opacity=".7"{extra}/>'
