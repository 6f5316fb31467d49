"""Data flows one way: no room imports a higher one."""

import ast

import pytest
from support import ROOT

MAY_IMPORT = {
    "text": set(),
    "data": {"text"},
    "layers": set(),
    "decoding": set(),
    "metrics": {"text", "data.passages"},
    "models": {"layers", "decoding", "metrics", "data.batch"},
    # A run knows the bases of models and datasets; which of them it works with, Hydra says.
    "training": {
        *("text", "decoding", "metrics", "models.base", "models.lookups", "models.objective"),
        *("data.batch", "data.cache", "data.module", "data.passages", "data.text_pairs"),
    },
    "sweeping": set(),
    # A digest reads what a run said with its tokenizers, and looks into its model: `load` is the package's own.
    # Claims are run as trials are, and their results are known by the code that made them.
    "reporting": {
        *("text", "load", "sweeping"),
        *("training.environment", "training.results"),
    },
}
# Known to all rooms.
LEAVES = {
    *(
        "arguments",
        "checks",
        "command_line",
        "errors",
        "files",
        "folders",
        "identity",
        "kinds",
        "paths",
        "source",
        "symbols",
    ),
    *("words", "__version__", ""),
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
