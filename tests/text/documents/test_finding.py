"""Folders as people have them: nested, hidden, with circular links, without permission."""

import os

import pytest

from seqlab.errors import InputError
from seqlab.text.documents import finding
from seqlab.text.documents.finding import Skipped, find


def names(folder):
    return [finding.name_of(file, folder) for file in find(folder)[0]]


def fill(folder, *files):
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("text")


def test_files_come_sorted_by_name_from_all_depths(tmp_path):
    fill(tmp_path, "b.txt", "a/z.MD", "a/b/c.tex", "a.txt", ".hidden.txt", ".git/x.txt", "~$a.docx")
    assert names(tmp_path) == ["a.txt", "a/b/c.tex", "a/z.MD", "b.txt"]
    assert find(tmp_path)[1] == []


def test_files_without_a_reader_are_named(tmp_path):
    fill(tmp_path, "a.txt", "b.xyz", "README")
    assert find(tmp_path)[1] == [
        Skipped("README", "no reader for files without a suffix"),
        Skipped("b.xyz", "no reader for .xyz"),
    ]


def test_links_are_followed_and_loops_detected(tmp_path):
    fill(tmp_path, "notes/a/one.txt", "elsewhere/two.txt")
    notes = tmp_path / "notes"
    (notes / "link").symlink_to(tmp_path / "elsewhere")
    (notes / "again").symlink_to(tmp_path / "elsewhere")
    (notes / "a" / "up").symlink_to(notes)
    (notes / "self.txt").symlink_to("self.txt")
    (notes / "gone.txt").symlink_to("nowhere")
    (notes / "file.txt").symlink_to(notes / "a" / "one.txt")
    found, skipped = find(notes)
    assert [finding.name_of(file, notes) for file in found] == ["a/one.txt", "again/two.txt", "file.txt"]
    assert [(one.name, one.reason.split(" as ")[0]) for one in skipped] == [
        ("a/up", "a symlink loop"),
        ("gone.txt", "a broken link"),
        ("link", "the same folder"),
        ("self.txt", "a symlink loop"),
    ]


def test_devices_and_pipes_are_not_opened(tmp_path):
    os.mkfifo(tmp_path / "a.txt")
    (tmp_path / "b.txt").touch()
    assert find(tmp_path) == (
        [],
        [Skipped("a.txt", "not an ordinary file"), Skipped("b.txt", "empty (0 bytes)")],
    )


def test_a_folder_without_permission_is_named(tmp_path, monkeypatch):
    fill(tmp_path, "a.txt", "closed/b.txt")
    iterdir = type(tmp_path).iterdir
    # Patched, because root may enter every folder.
    monkeypatch.setattr(type(tmp_path), "iterdir", lambda self: closed() if self.name == "closed" else iterdir(self))

    def closed():
        raise PermissionError(13, "Permission denied")

    assert find(tmp_path) == ([tmp_path / "a.txt"], [Skipped("closed", "permission denied")])


def test_a_single_file_is_enough(tmp_path):
    fill(tmp_path, "a.txt", "b.xyz")
    assert find(tmp_path / "a.txt") == ([tmp_path / "a.txt"], [])
    assert finding.name_of(tmp_path / "a.txt", tmp_path / "a.txt") == "a.txt"
    assert find(tmp_path / "b.xyz") == ([], [Skipped("b.xyz", "no reader for .xyz")])


def test_a_missing_path_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"notes: no such file or folder"):
        find(tmp_path / "notes")


def test_a_file_name_that_is_not_utf8_is_escaped(tmp_path):
    name = os.fsdecode(b"a\xff.txt")
    fill(tmp_path, name)
    assert names(tmp_path) == [r"a\xff.txt"]
