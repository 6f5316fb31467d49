"""A hash of seqlab's source code, so that results of another version are not mistaken for those of this one."""

import functools
import hashlib
from collections.abc import Callable

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
