"""The parameters of seqlab's own classes and functions, read from their source files: importing these takes seconds."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parent


def written_parameters(target: str) -> set[str] | None:
    """The names that the class or function `target` ("seqlab.models.gpt.GPT") takes; None if its source does not tell.

    A class that passes `**kwargs` on takes what its first base takes.
    """
    module, _, name = target.rpartition(".")
    top, _, inner = module.partition(".")
    path = PACKAGE.joinpath(*inner.split(".")).with_suffix(".py")
    if top != PACKAGE.name or not path.is_file():
        return None
    tree = ast.parse(path.read_text(encoding="utf-8"))
    definitions = (one for one in tree.body if isinstance(one, ast.ClassDef | ast.FunctionDef))
    found = next((one for one in definitions if one.name == name), None)
    if not isinstance(found, ast.ClassDef):
        return None if found is None or found.args.kwarg else _names(found)
    if found.decorator_list:
        return None
    init = next((one for one in found.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"), None)
    if init is not None and init.args.kwarg is None:
        return _names(init) - {"self"}
    base = found.bases[0] if found.bases else None
    inherited = written_parameters(_origin(base.id, tree, module)) if isinstance(base, ast.Name) else None
    return None if inherited is None else inherited | (_names(init) - {"self"} if init else set())


def _names(function: ast.FunctionDef) -> set[str]:
    arguments = function.args
    return {one.arg for one in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]}


def _origin(name: str, tree: ast.Module, module: str) -> str:
    """Where a name of a file comes from, in full: an import, else the file itself."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and any((one.asname or one.name) == name for one in node.names):
            return f"{node.module}.{name}"
    return f"{module}.{name}"
