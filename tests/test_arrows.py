"""Data flows one way: no room imports a higher one, and the sweeper imports nothing of seqlab."""

import ast
import graphlib
import re

import pytest
from support import ROOT

SWEEPER = ROOT / "src/hydra_pruning_sweeper"

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
        *("text", "decoding", "metrics", "config", "dataset_analysis", "inference"),
        *("models.base", "models.objective", "runs.result", "runs.samples", "runs.small_splits"),
        *("models.training_module", "data.batch", "data.cache", "data.module", "data.passages", "data.text_pairs"),
    },
    # Finished runs are read with their tokenizers, and some outputs are looked at with the model that gave them.
    "runs": {"text", "metrics.registry", "inference.bundle", "config.plain", "config.bundle_settings"},
    # Runs side by side are processes of the sweeper: what trains is not imported.
    "multiruns": {"runs", "metrics.registry", "config.multirun", "config.plain", "config.runs_settings"},
    # Claims are run as trials are, and their results are known by the code that made them.
    "reproduction": {
        *("text", "metrics.registry", "inference.bundle", "runs", "multiruns"),
        *("training.provenance", "config.plain", "config.settings"),
    },
    "playground": {
        *("text", "data.dates", "data.numbers", "decoding", "inference", "layers.attention", "models.base"),
        # What a text shares with a run's training data: the data is built from the settings that the run has kept.
        *("config", "data.documents", "data.module", "metrics.leakage", "metrics.training_index", "runs.result"),
    },
    "reporting": {"metrics.registry", "runs", "reproduction", "training.provenance"},
    # What a user's tests import: nothing of seqlab but tests does.
    "testing": {"data.batch", "decoding", "layers", "models.base", "models.objective"},
}
# Known to all rooms.
LEAVES = {
    *("arguments", "checks", "code_hash", "command_line", "errors", "files", "folders", "hub_models", "identity"),
    *("cuda_graphs", "extras", "interrupts", "kinds", "out_of_memory", "paths", "private_parts", "quiet", "renamed"),
    *("natural_order", "source_signatures", "stopwatch", "warning_lines"),
    *("special_tokens", "version", ""),
}


# Where a configuration of OmegaConf's may be seen: the room that reads it, what Hydra calls, and the sweeper, which
# writes configurations. Everywhere else settings are typed.
SEES_CONFIGURATIONS = {
    "config",
    *("train", "evaluate", "predict", "generate", "describe", "sweep", "report", "reproduce", "play"),
    *("publish", "past_runs", "python_calls"),
    *("cli", "command_help", "hydra_messages", "typed_arguments"),
    *("exclusive_folders", "runs.comparison"),  # Hydra's callbacks
    "private_parts",
}
SWEEPER_MAY_IMPORT = {
    "conf": set(),
    "study": set(),
    "trial": {"study"},
    "execution": {"study", "trial"},
    "views": {"study", "trial", "execution"},
    "replay": {"study", "trial", "views"},
}
# Of the sweeper, known to all of its rooms, and to seqlab.
SWEEPER_LEAVES = {
    *(
        "atomic_files",
        "differences",
        "errors",
        "file_lock",
        "installing",
        "instantiation",
        "messages",
        "names",
        "objectives",
        "quoting",
        "text_table",
    ),
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
            # Lightning takes longer to import than a prediction takes.
            predicts = room in ("layers", "decoding", "inference", "models") and path.name != "training_module.py"
            assert not (predicts and top == "lightning"), f"{path.name} imports {name}"
            assert top != "optuna", f"{path.name} imports {name}"


@pytest.mark.parametrize("room", SWEEPER_MAY_IMPORT)
def test_a_room_of_the_sweeper_imports_only_lower_rooms(room):
    for path in sorted((SWEEPER / room).rglob("*.py")):
        for name in imports(path):
            top, _, inner = name.partition(".")
            if top == SWEEPER.name:
                assert inner.split(".")[0] in SWEEPER_LEAVES | SWEEPER_MAY_IMPORT[room] | {room}, f"{path.name}: {name}"


@pytest.mark.parametrize(("one", "other"), [("page", "readme"), ("readme", "page")])
def test_the_page_and_the_readme_share_only_what_stands_above_both(one, other):
    for path in sorted((ROOT / "src/seqlab/reporting" / one).rglob("*.py")):
        shared = [name for name in imports(path) if name.startswith(f"seqlab.reporting.{other}")]
        assert not shared, f"{path.name} imports {shared[0]}"


def test_the_sweeper_knows_no_model():
    for path in sorted(SWEEPER.rglob("*.py")):
        tops = {name.partition(".")[0] for name in imports(path)}
        assert "seqlab" not in path.read_text(encoding="utf-8").lower(), path.name
        if path.name != "lightning_callback.py":
            assert not tops & {"torch", "lightning"}, path.name


def test_leaves_of_the_sweeper_import_no_room():
    for leaf in SWEEPER_LEAVES:
        inner = {name.partition(".")[2] for name in imports(SWEEPER / f"{leaf}.py") if name.startswith(SWEEPER.name)}
        assert inner <= SWEEPER_LEAVES, leaf


def test_the_configuration_ends_at_the_door():
    for path in sorted((ROOT / "src/seqlab").rglob("*.py")):
        name = module_of(path).removeprefix("seqlab.")
        if not {name, name.split(".")[0]} & SEES_CONFIGURATIONS:
            assert not [one for one in imports(path) if one.split(".")[0] in ("omegaconf", "hydra")], name


def test_private_parts_of_libraries_are_used_in_one_file():
    """(The sweeper knows nothing of seqlab, and has its own.)"""
    for path in sorted((ROOT / "src/seqlab").rglob("*.py")):
        if path.name == "private_parts.py":
            continue
        found = [one for one in imports(path) if one.startswith(PRIVATE)]
        assert not found, f"{path.name} imports {found[0]}"
        assert not [one for one in ast.walk(ast.parse(path.read_text())) if private_attribute(one)], path.name


PRIVATE = ("hydra._internal", "hydra.core.global_hydra", "hydra.core.config_store", "hydra.core.override_parser")


def test_tables_are_written_in_one_file():
    for path in sorted((ROOT / "src").rglob("*.py")):
        if path.name != "text_table.py":
            assert not {"rich.table", "rich.columns"} & set(imports(path)), path.name
            assert "---:" not in path.read_text(encoding="utf-8"), path.name


def private_attribute(node):
    """Whether a node of a syntax tree reads an attribute that its class keeps to itself, of another object."""
    if not (isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__")):
        return False
    own = isinstance(node.value, ast.Name) and node.value.id == "self"
    return node.attr in LIBRARIES and not own


LIBRARIES = {
    *("_parameters", "_modules", "_buffers", "_is_mkldnn_bf16_supported", "_internal", "_metadata", "_parent"),
    *("_precision_plugin", "_callback_connector", "_signal_connector", "_logger_connector", "_fit_loop"),
}
"""Names of attributes that torch, Lightning, Hydra and OmegaConf keep to themselves."""


@pytest.mark.parametrize(("package", "rules"), [("seqlab", MAY_IMPORT), (SWEEPER.name, SWEEPER_MAY_IMPORT)])
def test_every_room_has_its_rule(package, rules):
    rooms = {path.name for path in (ROOT / "src" / package).iterdir() if (path / "__init__.py").is_file()}
    assert rooms == set(rules)


def test_no_files_import_each_other():
    """Not in a longer circle either; imports inside of functions and for type checks count."""
    paths = {module_of(path): path for path in (ROOT / "src").rglob("*.py")}
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


def test_the_map_names_every_room_and_only_files_that_are_there():
    guide = (ROOT / "src/seqlab/README.md").read_text(encoding="utf-8")
    rooms, sweeper = guide.split("## The sweeper")[0], guide.split("## The sweeper")[1].split("## Other")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", rooms, re.M)) == set(MAY_IMPORT)
    assert set(re.findall(r"^\| `(\w+)` \|", sweeper, re.M)) == set(SWEEPER_MAY_IMPORT)
    named = re.findall(r"`([\w/]+\.py|[\w/]+/)`", guide.split("## Where to look")[1])
    assert len(named) > 15
    for name in named:
        places = [ROOT / name, ROOT / "src" / name, *(ROOT / "src/seqlab").glob(f"**/{name}")]
        assert any(place.exists() for place in places), name
