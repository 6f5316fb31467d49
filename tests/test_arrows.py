"""Data flows one way: no room imports a higher one."""

import ast
import graphlib

import pytest
from support import ROOT

MAY_IMPORT = {
    "text": set(),
    "data": {"text"},
    "layers": set(),
    "decoding": set(),
    "metrics": {"text", "data.passages"},
    "models": {"layers", "decoding", "metrics", "data.batch"},
    "optim": set(),
    # Which model and dataset a run works with, Hydra says: rooms above know the bases of both.
    "config": {"data.module", "decoding", "models.base"},
    "dataset_analysis": {"text", "data", "metrics", "config"},
    "inference": {"text", "data", "decoding", "metrics", "models.base", "models.fast_attribute_access", "config"},
    "inspection": {"data", "models.base", "config"},
    "training": {
        *("text", "decoding", "metrics", "models.base", "models.objective", "config", "dataset_analysis", "inference"),
        *("data.batch", "data.cache", "data.module", "data.passages", "data.text_pairs"),
    },
    "sweeping": set(),
    # Finished runs are read with their tokenizers, and some outputs are looked at with the model that gave them.
    "runs": {"text", "inference.bundle", "metrics.registry"},
    # Claims are run as trials are, and their results are known by the code that made them.
    "reproduction": {"text", "inference.bundle", "metrics.registry", "runs", "sweeping", "training.provenance"},
    "reporting": {"metrics.registry", "runs", "reproduction", "sweeping", "training.provenance"},
}
# Known to all rooms.
LEAVES = {
    *("arguments", "checks", "code_hash", "command_line", "errors", "files", "folders", "formatting", "identity"),
    *("kinds", "paths", "quiet", "special_tokens", "version", ""),
}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (
                f"{node.module}.{alias.name}" if node.module == "seqlab" else node.module for alias in node.names
            )


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_lower_rooms(room):
    for path in sorted((ROOT / "src/seqlab" / room).rglob("*.py")):
        for name in imports(path):
            top, _, inner = name.partition(".")
            if top == "seqlab" and inner.split(".")[0] not in LEAVES | {room}:
                assert {inner.split(".")[0], inner} & MAY_IMPORT[room], f"{path.name} imports {name}"
            assert not (room == "text" and top in ("torch", "lightning")), f"{path.name} imports {name}"
            assert not (room in ("layers", "decoding") and top == "lightning"), f"{path.name} imports {name}"
            assert not (top == "optuna" and room != "sweeping"), f"{path.name} imports {name}"
            beside = room == "sweeping" and path.name != "callback.py"  # which is the one that Lightning calls
            assert not (beside and top in ("torch", "lightning")), f"{path.name} imports {name}"


def test_every_room_has_its_rule():
    rooms = {path.name for path in (ROOT / "src/seqlab").iterdir() if (path / "__init__.py").is_file()}
    assert rooms == set(MAY_IMPORT)


def test_no_files_import_each_other():
    """Not in a longer circle either; imports inside of functions and for type checks count."""
    paths = {module_of(path): path for path in (ROOT / "src/seqlab").rglob("*.py")}
    arrows = {name: set(imported(path, paths)) & paths.keys() for name, path in paths.items()}
    graphlib.TopologicalSorter(arrows).prepare()  # raises CycleError, which names the circle


def module_of(path):
    name = ".".join(path.relative_to(ROOT / "src").with_suffix("").parts)
    return name.removesuffix(".__init__")


def imported(path, modules):
    """The modules that a file imports: where it takes a name out of a package, the one of that name if there is one."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            inner = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in modules else node.module for name in inner)
