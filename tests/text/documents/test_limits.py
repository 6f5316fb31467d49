"""Files made to flood memory, disk or time are left out, and leave nothing behind."""

import io
import os
import zipfile
from pathlib import Path

import pytest
from document_files import epub, zipped

from seqlab.errors import InputError
from seqlab.text.documents import Limits, html, processes, read_documents
from seqlab.text.documents import reading as reading_module
from seqlab.text.documents.formats import FORMATS, Format
from seqlab.text.documents.steps import Tally, without_markup

ENTITIES = "".join(
    f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
BOMB = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "lol">{ENTITIES}]>'


@pytest.fixture
def reasons(tmp_path):
    """Reads a folder with the files and a good one; returns the reasons why files were skipped."""

    def read(limits=None, **files):
        folder = tmp_path / "notes"
        folder.mkdir(exist_ok=True)
        (folder / "sound.txt").write_text("A hen.", encoding="utf-8")
        for name, data in files.items():
            (folder / name.replace("__", ".")).write_bytes(data if isinstance(data, bytes) else data.encode())
        collection = read_documents(folder, tmp_path / "cache", processes=1, limits=limits)
        kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
        records = {path.stem for path in kept if path.suffix == ".json"}
        assert {path.stem for path in kept} == records, "something was left behind"
        assert not list((tmp_path / "cache" / "documents").glob(".reading-*"))
        return {one.name: one.reason for one in collection.skipped}

    return read


def test_a_book_that_repeats_its_pages_is_limited(reasons, monkeypatch):
    monkeypatch.setattr(reading_module, "ALWAYS_FINE", 5_000)
    book = epub({"page": "<p>" + "a hen and an egg " * 40 + "</p>"})
    assert reasons(book__epub=book) == {}
    many = dict.fromkeys((f"page{i}" for i in range(90)), "<p>" + "a hen and an egg " * 40 + "</p>")
    assert "its text is longer than" in reasons(Limits(growth=1), book__epub=epub(many))["book.epub"]
    assert reasons(book__epub=epub(many)) == {}, "a limit that was raised holds at once"


def greedy(path):
    yield "begun"
    held = bytearray(1 << 28)
    yield str(len(held))


def endless(path):
    while True:
        yield "more and more " * 1000


def test_memory_and_text_have_limits(reasons, monkeypatch):
    monkeypatch.setattr(reading_module, "ALWAYS_FINE", 100_000)
    monkeypatch.setitem(FORMATS, ".tex", Format("greedy", greedy))
    monkeypatch.setitem(FORMATS, ".md", Format("endless", endless))
    assert reasons(Limits(memory=100), a__tex="a", b__md="b") == {
        "a.tex": "its reader needs more than 100 MiB of memory (data.limits.memory)",
        "b.md": "its text is longer than 100,000 bytes (data.limits.growth=20)",
    }
    assert "a.tex" not in reasons(Limits(memory=1000))


def test_where_memory_cannot_be_limited_a_warning_says_so(reasons, monkeypatch):
    monkeypatch.setattr(processes, "HELD", Path("/no/such/file"))
    with pytest.warns(UserWarning, match=r"data\.limits\.memory works on Linux only"):
        assert reasons(Limits(memory=1)) == {}


def test_an_archive_that_lies_about_its_sizes_takes_no_more_memory(reasons):
    size = 200_000_000
    book = epub({"page": "a" * size})
    claimed = [info.file_size for info in zipfile.ZipFile(io.BytesIO(book)).infolist() if info.file_size >= size]
    lying = book.replace(claimed[0].to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    assert lying != book
    assert "its reader needs more than 100 MiB" in reasons(Limits(memory=100), lying__epub=lying)["lying.epub"]


@pytest.mark.parametrize("limit", ["seconds", "memory", "growth"])
def test_limits_are_at_least_one(limit):
    with pytest.raises(ValueError, match=f"{limit} must be at least 1, but is 0"):
        Limits(**{limit: 0})


def test_endless_nesting_or_entity_expansion_is_skipped(reasons):
    book = {
        "META-INF/container.xml": f"{BOMB}<container><rootfile full-path='&i;'/></container>",
        "word/document.xml": f"{BOMB}<w>&i;</w>",
    }
    left_out = reasons(bomb__epub=zipped(book), deep__ipynb="[" * 100_000, deep__tex="{" * 10_000 + "}" * 10_000)
    assert left_out["bomb.epub"].startswith("damaged (")
    assert left_out["deep.ipynb"] == left_out["deep.tex"] == "its content is nested too deeply"


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("/dev/zero"), os.mkfifo])
def test_devices_and_pipes_are_not_read(reasons, tmp_path, make):
    (tmp_path / "notes").mkdir()
    make(tmp_path / "notes" / "endless.txt")
    assert reasons() == {"endless.txt": "not an ordinary file"}
    with pytest.raises(InputError, match="a device or a pipe; expected a folder or an ordinary file"):
        read_documents(tmp_path / "notes" / "endless.txt", tmp_path / "cache")


@pytest.mark.timeout(30)  # far more than that where it is quadratic
@pytest.mark.parametrize(
    "clean",
    [
        lambda: list(without_markup(["<!--" * 32_000] * 60, Tally())),
        lambda: html._even("a" + " " * 400_000 + "x"),
    ],
)
def test_cleaning_takes_time_in_proportion_to_the_text(clean):
    clean()
