"""Files that are written whole or not at all."""

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def write_atomically(path: Path, text: str) -> None:
    """Writes `text` to a temporary file and renames that to `path`; a device or a pipe is written to directly.

    Raises:
        OSError: `path` cannot be written; the error names it.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        try:
            path.write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from None
        return
    # Only now, because a link to a pipe, such as /dev/stdout, resolves to a name that is no file.
    with written_atomically(path.resolve()) as file:
        file.write(text.encode("utf-8"))


@contextmanager
def written_atomically(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which becomes `path` when the block ends; if the block fails, `path` is unchanged.

    A file that was there keeps its permissions; those of a new one follow the umask.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    except FileNotFoundError:  # in a folder of the kernel, such as /proc, no files can be created
        raise NotADirectoryError(errno.ENOTDIR, "not a folder for files", str(path.parent)) from None
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        Path(temporary).chmod(stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666 & ~_umask())
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
