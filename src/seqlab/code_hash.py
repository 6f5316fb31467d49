"""Hashes of source code, so that results of another version are not mistaken for those of this one."""

import functools
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqlab import paths


def source_hash(takes: Callable[[str], bool]) -> str:
    """A short hash of the Python files in those top-level packages (or modules) whose name `takes` accepts."""
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(paths.PACKAGE.rglob("*.py")):
        name = path.relative_to(paths.PACKAGE)
        if takes(name.parts[0]):
            content = path.read_bytes()
            digest.update(f"{name.as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()


@functools.cache
def code() -> str:
    """A hash of the code that affects results: all of seqlab except the rooms that only start runs or read results.

    It does not depend on commits or on a checkout: equal settings and an equal hash give equal results. It is computed
    once per process, because files may change after they were imported.
    """
    return source_hash(lambda room: room not in ("runs", "multiruns", "reproduction", "reporting"))


def own_source(made: type | Callable[..., Any]) -> list[str]:
    """Hashes of the files in which a class of a user's, with the bases it has beyond those of seqlab's classes, or a
    function is written; none for what is seqlab's, or was typed and has no file.

    What these files import is not looked at.
    """
    parts = made.__mro__ if isinstance(made, type) else (made,)
    known = {base for part in parts if _is_ours(part) for base in getattr(part, "__mro__", ())}
    modules = {part.__module__ for part in parts if not _is_ours(part) and part not in known}
    return sorted(filter(None, map(_file_hash, modules)))


def _is_ours(part: Any) -> bool:
    return part.__module__.partition(".")[0] == __name__.partition(".")[0]


@functools.cache
def _file_hash(module: str) -> str | None:
    """Computed once per process, because the file may change after it was imported."""
    file = getattr(sys.modules.get(module), "__file__", None)
    return hashlib.blake2b(Path(file).read_bytes(), digest_size=8).hexdigest() if file else None
