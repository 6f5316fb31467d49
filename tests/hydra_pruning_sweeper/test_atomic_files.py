"""Files that are whole or not there."""

import os
import re
import stat
from pathlib import Path

import pytest

from hydra_pruning_sweeper.atomic_files import write_atomically


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "new" / "file.txt"
    write_atomically(path, "one")
    write_atomically(path, "zwei\n")
    assert path.read_text() == "zwei\n"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]


def test_a_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "new \ud800")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file.txt"]


def test_permissions_follow_the_umask(tmp_path):
    write_atomically(tmp_path / "file.txt", "x")
    (tmp_path / "plain.txt").write_text("x")
    assert (tmp_path / "file.txt").stat().st_mode == (tmp_path / "plain.txt").stat().st_mode


def test_a_file_that_was_there_keeps_its_permissions(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("x")
    path.chmod(0o640)
    write_atomically(path, "y")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("y", 0o640)


def test_a_pipe_without_a_name_is_written_to():
    reading, writing = os.pipe()
    try:
        write_atomically(Path(f"/dev/fd/{writing}"), "one\n")
        assert os.read(reading, 99) == b"one\n"
    finally:
        os.close(reading)
        os.close(writing)


def test_a_folder_that_takes_no_files_is_named(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file/new.txt", Path("/proc/new.txt")):
        with pytest.raises(OSError, match=re.escape(str(path.parent))):
            write_atomically(path, "x")
