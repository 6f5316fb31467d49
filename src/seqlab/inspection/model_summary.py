"""The structure of an architecture, with the sizes that its dataset determines, as `seqlab-describe` prints it."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from hydra_pruning_sweeper.messages import unbroken, wrapped
from hydra_pruning_sweeper.text_table import TextTable
from seqlab import paths
from seqlab.config.data_and_model import build_data, build_model
from seqlab.config.settings import DescribeSettings, compose_describe
from seqlab.data.module import SequenceData
from seqlab.inspection.structure import structure_of
from seqlab.quiet import quiet


def architecture(settings: DescribeSettings) -> dict[str, Any]:
    """The structure of the configured model, recorded while it reads a few training examples.

    Raises:
        InputError: settings or files cannot be used.
    """
    quiet()
    return _structure(settings, build_data(settings.data))


def architectures(*overrides: str) -> dict[str, dict[str, Any]]:
    """The structures of all architectures in conf/model, by option; Hydra must be initialised.

    Args:
        overrides: overrides of `seqlab-describe`, such as "model_size=small".
    """
    quiet()
    data: SequenceData | None = None
    structures = {}
    for path in sorted((paths.config_dir() / "model").glob("*.yaml")):
        settings = compose_describe(f"model={path.stem}", *overrides)
        data = data or build_data(settings.data)
        structures[path.stem] = _structure(settings, data)
    return structures


def _structure(settings: DescribeSettings, data: SequenceData) -> dict[str, Any]:
    assert settings.model is not None
    model = build_model(settings.model, data)
    return structure_of(model, data.training_batches().middle(), dict(settings.model.settings))


def print_structure(structure: dict[str, Any]) -> None:
    """Prints a structure as a table; parts are called once where it has no column `times`."""
    console = Console(highlight=False, soft_wrap=True)
    title = Text(wrapped(f"{structure['name']}: {structure['about']}"))
    title.stylize("bold", 0, len(structure["name"]))
    console.print(title)
    axes = ", ".join(unbroken(f"{letter} = {size:,}") for letter, size in structure["axes"].items())
    console.print(wrapped(f"{structure['class']}, {structure['parameters']:,} parameters"), markup=False)
    console.print(wrapped(f"Shapes: {axes}"), markup=False)
    rows = [*_inputs(structure, "encode"), *_rows(structure["encode"]["parts"], "", "  "), ("state",)]
    for one in structure["state"] or [{"name": "nothing", "shapes": []}]:
        first, *others = one["shapes"] or [None]
        rows.append((f"  {one['name']}", one.get("begins", ""), _axes(first)))
        rows += [("", "", _axes(shape)) for shape in others]
    rows += [*_inputs(structure, "decode"), *_rows(structure["decode"]["parts"], "", "  ")]
    rows.append((f"  {structure['output'][0]}", "", _axes(structure["output"][1])))
    _table(rows).show(console)
    console.print(
        wrapped("Each part is listed with all parameters of its module; the total counts shared parameters once.")
    )


def _table(rows: list[tuple[str, ...]]) -> TextTable:
    repeated = any(row[3:4] not in ((), ("",)) for row in rows)
    shown = [0, 1, 2, *([3] if repeated else []), 4]
    heads = ("part", "class", "gives", "times", "parameters")
    table = TextTable([heads[i] for i in shown], "lll" + "r" * (len(shown) - 3))
    for row in rows:
        cells = [*row, *[""] * (len(heads) - len(row))]
        table.add(*(cells[i] for i in shown), style="bold" if len(row) == 1 and not row[0].startswith(" ") else None)
    return table


def _inputs(structure: dict[str, Any], phase: str) -> list[tuple[str, ...]]:
    name, shape = structure["inputs"][phase]
    return [(phase,), (f"  {name}", "", _axes(shape))]


def _rows(parts: list[dict[str, Any]], around: str, indent: str) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for part in parts:
        if "joint" in part:
            rows.append((f"{indent}({part['joint']})",))
            continue
        repeat, calls = part["repeat"], part["calls"]
        name = part["path"].removeprefix(around) + (f" × {repeat}" if repeat > 1 else "")
        count = f"{part['parameters'] * repeat:,}" if part["parameters"] else ""
        rows.append((indent + name, part["class"], _axes(part["shape"]), str(calls) if calls > 1 else "", count))
        rows += _rows(part["parts"], f"{part['path']}.", f"{indent}  ")
    return rows


def _axes(shape: str | None) -> str:
    return "" if shape is None else f"({shape.replace(' ', ', ')})"
