"""A cache of computed files; the key identifies what they were computed from."""

import functools
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqlab.code_hash import source_hash

COMPUTING = ("text", "data", "metrics")
"""The packages whose code decides what the cached files contain."""


def key_of(**settings: Any) -> str:
    """A short hash of JSON-like settings and of the code that computes with them."""
    text = json.dumps(settings, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(f"{_code()} {text}".encode()).hexdigest()[:16]


@functools.cache
def _code() -> str:
    return source_hash(lambda room: room in COMPUTING)


def cached(folder: Path, build: Callable[[Path], None]) -> Path:
    """`folder`, filled by `build(temporary folder)` if it does not exist yet.

    The temporary folder is moved into place when it is complete, so a process that is killed, or two processes that
    build the same folder, leave no half-written one.
    """
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        temporary.chmod(0o755)  # mkdtemp makes folders that only their owner can read
        build(temporary)
        temporary.replace(folder)
    except OSError:
        if not folder.is_dir():  # if it exists, another process finished the same folder first
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder
