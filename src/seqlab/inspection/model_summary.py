"""The structure of an architecture, with the sizes that its dataset determines, as `seqlab-describe` prints it."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from hydra_pruning_sweeper.text_table import TextTable
from seqlab import paths
from seqlab.config.data_and_model import build_data, build_model
from seqlab.config.settings import DescribeSettings, compose_describe
from seqlab.data.module import SequenceData
from seqlab.inspection.structure import structure_of
from seqlab.quiet import quiet

WIDTH = 120
"""The table may be this many characters wide even on a narrower screen, so that nothing is cut off."""


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
    """Prints a structure as a table."""
    console = Console(highlight=False, soft_wrap=True)
    console = Console(highlight=False, soft_wrap=True, width=max(console.width, WIDTH))
    console.print(f"[bold]{structure['class']}[/bold]: {structure['about']}")
    axes = ", ".join(f"{letter} = {size:,}" for letter, size in structure["axes"].items())
    console.print(f"{structure['parameters']:,} parameters. Shapes: {axes}", markup=False)
    table = TextTable(["part", "class", "gives", "times", "parameters"], "lllrr")
    for phase in ("encode", "decode"):
        name, shape = structure["inputs"][phase]
        table.add(phase, style="bold")
        table.add(f"  {name}", "", _axes(shape))
        for row in _rows(structure[phase]["parts"], "", "  "):
            table.add(*row)
        if phase == "encode":
            table.add("state", style="bold")
            for one in structure["state"] or [{"name": "nothing", "shapes": []}]:
                table.add(f"  {one['name']}", "", ", ".join(map(_axes, one["shapes"])))
    table.add(f"  {structure['output'][0]}", "", _axes(structure["output"][1]))
    table.show(console)
    console.print("Each part is listed with all parameters of its module; the total counts shared parameters once.")


def _rows(parts: list[dict[str, Any]], around: str, indent: str) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for part in parts:
        if "joint" in part:
            rows.append((f"{indent}({part['joint']})",))
            continue
        repeat, calls = part["repeat"], part["calls"]
        name = part["path"].removeprefix(around) + (f" × {repeat}" if repeat > 1 else "")
        shape = "" if part["shape"] is None else _axes(part["shape"])
        count = f"{part['parameters'] * repeat:,}" if part["parameters"] else ""
        rows.append((indent + name, part["class"], shape, str(calls) if calls > 1 else "", count))
        rows += _rows(part["parts"], f"{part['path']}.", f"{indent}  ")
    return rows


def _axes(shape: str) -> str:
    return f"({shape.replace(' ', ', ')})"
