"""Folders are read in parallel, each content once, whatever single files do to their readers."""

import faulthandler
import os
import signal
import subprocess
import sys
import time

import pytest
from document_files import pdf

from seqlab.errors import InputError
from seqlab.text.documents import Limits, read_documents
from seqlab.text.documents.formats import FORMATS, Format

TEXTS = {"a.txt": "One hen.\r\n\nTwo hens.", "b/c.md": "# Three\n", "d.html": "<p>Four</p>", "e.pdf": pdf(["Five"])}


@pytest.fixture
def notes(tmp_path):
    folder = tmp_path / "notes"
    write(folder, **TEXTS)
    return folder


def write(folder, **files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)


def texts(collection):
    return {document.name: "".join(document.lines()) for document in collection.documents}


def reader(monkeypatch, suffix, read):
    monkeypatch.setitem(FORMATS, suffix, Format("test", read))


def no_reader(monkeypatch):
    def fail(path):
        pytest.fail(f"{path} is read")
        yield ""

    for suffix, format in FORMATS.items():
        monkeypatch.setitem(FORMATS, suffix, Format(format.name, fail, format.version))


@pytest.mark.parametrize("processes", [1, 3, None])
def test_the_texts_of_a_folder(notes, tmp_path, processes):
    collection = read_documents(notes, tmp_path / "cache", processes)
    assert texts(collection) == {
        "a.txt": TEXTS["a.txt"],
        "b/c.md": "# Three\n",
        "d.html": "Four\n",
        "e.pdf": "Five\n\n",
    }
    assert [document.characters for document in collection.documents] == [20, 8, 5, 6]
    assert list(collection.documents[0].lines()) == ["One hen.\r\n", "\n", "Two hens."]
    assert collection.summary() == "4 documents, 39 characters (4 read anew)"


def test_a_single_file(notes, tmp_path, capsys):
    collection = read_documents(notes / "a.txt", tmp_path / "cache")
    assert texts(collection) == {"a.txt": TEXTS["a.txt"]}
    assert collection.summary() == "1 document, 20 characters (1 read anew)"
    assert capsys.readouterr().err == ""  # no bar where nobody watches


def test_a_known_file_is_not_read_again(notes, tmp_path, monkeypatch):
    write(notes, **{"scan.pdf": pdf([])})
    first = read_documents(notes, tmp_path / "cache")
    no_reader(monkeypatch)
    second = read_documents(notes, tmp_path / "cache")
    assert (first.read, second.read) == (5, 0)
    assert (second.documents, second.skipped) == (first.documents, first.skipped)
    assert first.fingerprint() == second.fingerprint()


def test_a_known_content_under_another_name_or_folder_is_not_read_again(notes, tmp_path, monkeypatch):
    first = read_documents(notes, tmp_path / "cache")
    no_reader(monkeypatch)
    (notes / "a.txt").rename(notes / "z.txt")
    notes.rename(tmp_path / "moved")
    second = read_documents(tmp_path / "moved", tmp_path / "cache")
    assert [document.name for document in second.documents] == ["b/c.md", "d.html", "e.pdf", "z.txt"]
    assert first.fingerprint() != second.fingerprint()


def test_a_changed_file_is_read_again(notes, tmp_path, monkeypatch):
    first = read_documents(notes, tmp_path / "cache")
    write(notes, **{"b/c.md": "# Other\n"})
    second = read_documents(notes, tmp_path / "cache")
    assert (second.read, texts(second)["b/c.md"]) == (1, "# Other\n")
    assert first.fingerprint() != second.fingerprint()
    reader(monkeypatch, ".md", lambda path: iter([path.read_text().upper()]))
    assert texts(read_documents(notes, tmp_path / "cache"))["b/c.md"] == "# OTHER\n"


def test_a_text_that_vanished_from_the_cache_is_read_again(notes, tmp_path):
    read_documents(notes, tmp_path / "cache")
    for text in (tmp_path / "cache").rglob("*.txt"):
        text.unlink()
    assert read_documents(notes, tmp_path / "cache").read == 4


def test_equal_files_are_read_once(tmp_path):
    write(tmp_path / "notes", **{"a.txt": "hen", "b.txt": "hen"})
    collection = read_documents(tmp_path / "notes", tmp_path / "cache")
    assert (texts(collection), collection.read) == ({"a.txt": "hen", "b.txt": "hen"}, 1)


def hard_on_its_reader(path):
    fate = path.stem
    yield "begun"
    if fate == "crashes":
        faulthandler.disable()  # pytest's, which would show where it was
        os.abort()
    if fate == "exits":
        os._exit(3)
    if fate == "hangs":
        time.sleep(600)
    if fate == "eats":
        os.kill(os.getpid(), signal.SIGKILL)
    if fate == "raises":
        raise KeyError("no\nsuch key")
    if fate == "starves":
        raise MemoryError
    if fate == "closed":
        raise PermissionError(13, "Permission denied")
    if fate == "odd":
        yield "\ud800"


def test_bad_files_do_not_stop_the_others(tmp_path, monkeypatch):
    reader(monkeypatch, ".tex", hard_on_its_reader)
    fates = ["crashes", "exits", "hangs", "eats", "raises", "starves", "closed", "odd", "sound"]
    write(
        tmp_path / "notes", **{f"{fate}.tex": fate for fate in fates}, **{"blank.txt": " \n", "a.png": "", "b.png": ""}
    )
    collection = read_documents(tmp_path / "notes", tmp_path / "cache", processes=2, limits=Limits(seconds=1))
    assert texts(collection) == {"odd.tex": "begun?", "sound.tex": "begun"}
    assert collection.summary().splitlines() == [
        "2 documents, 11 characters (10 read anew)",
        "skipped blank.txt: no text in it",
        "skipped closed.tex: permission denied",
        "skipped crashes.tex: its reader crashed (SIGABRT)",
        "skipped eats.tex: its reader was killed (too little memory?)",
        "skipped exits.tex: its reader crashed (exit code 3)",
        "skipped hangs.tex: its reader was stopped after 1 seconds",
        "skipped raises.tex: damaged (KeyError: 'no\\nsuch key')",
        "skipped starves.tex: its reader needs more than 2,048 MiB of memory (data.limits.memory)",
        "skipped 2 files: no reader for .png",
    ]
    assert not list((tmp_path / "cache" / "documents").glob(".*")), "the dead leave nothing"
    monkeypatch.setitem(FORMATS, ".tex", Format("test", lambda path: iter(["sound now"])))
    again = read_documents(tmp_path / "notes", tmp_path / "cache")
    assert {one.name for one in again.skipped} == {"raises.tex", "blank.txt", "a.png", "b.png"}, (
        "what may heal is retried"
    )


def test_a_file_without_permission_is_named(notes, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "seqlab.text.documents.reading._digest",
        lambda file: PermissionError(13, "Permission denied") if file.name == "a.txt" else file.name,
    )
    collection = read_documents(notes, tmp_path / "cache")
    assert [(one.name, one.reason) for one in collection.skipped] == [("a.txt", "permission denied")]
    assert len(collection.documents) == 3


def test_nothing_to_read_is_an_error(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        read_documents(tmp_path / "notes", tmp_path / "cache")
    write(tmp_path / "notes", **{f"{name}.txt": "" for name in "abcdefg"})
    with pytest.raises(
        InputError, match=r"notes: no document .*\(a.txt: empty \(0 bytes\); .*; and 2 more\); expected"
    ):
        read_documents(tmp_path / "notes", tmp_path / "cache")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="it contains no files"):
        read_documents(tmp_path / "empty", tmp_path / "cache")


def test_characters_that_cannot_be_read_are_counted(tmp_path):
    write(tmp_path / "notes", **{"a.txt": "é".encode() * 9 + b"\xff\xff", "b.txt": "One"})
    for read_anew in (2, 0):
        assert read_documents(tmp_path / "notes", tmp_path / "cache").summary() == (
            f"2 documents, 14 characters ({read_anew} read anew)\na.txt: 2 characters cannot be read, and became �"
        )


def test_an_unwritable_cache_is_not_blamed_on_the_files(notes, tmp_path):
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(OSError, match="cache"):
        read_documents(notes, tmp_path / "cache")


def test_an_endless_line_is_read_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("seqlab.text.documents.collection.LONGEST_LINE", 7)
    write(tmp_path, **{"a.txt": "x" * 17 + "\ny"})
    (document,) = read_documents(tmp_path / "a.txt", tmp_path / "cache").documents
    assert list(document.lines()) == ["x" * 7, "x" * 7, "xxx\n", "y"]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("ab cdef gh\n", ["ab", " cdef gh\n"]),
        ("abcdef  ghij\n", ["abcdef", "  ghij\n"]),
        ("abcdef\r\nb", ["abcdef", "\r\n", "b"]),
        ("ab" + " " * 9 + "c", ["ab", " " * 9 + "c"]),
        (" abcdefghij k", [" abcdef", "ghij k"]),
    ],
)
def test_a_long_line_is_cut_before_white_space(tmp_path, monkeypatch, text, pieces):
    monkeypatch.setattr("seqlab.text.documents.collection.LONGEST_LINE", 7)
    write(tmp_path, **{"a.txt": text})
    (document,) = read_documents(tmp_path / "a.txt", tmp_path / "cache").documents
    assert list(document.lines()) == pieces


SLOW = """
import sys, time
from pathlib import Path
from seqlab.text.documents import read_documents
from seqlab.text.documents.formats import FORMATS, Format

def slow(path):
    yield "half"
    print("reading", flush=True)
    time.sleep(600)

FORMATS[".tex"] = Format("tex", slow)
read_documents(Path(sys.argv[1]), Path(sys.argv[2]), processes=1)
"""


def test_a_kill_in_the_middle_leaves_no_broken_cache(tmp_path):
    write(tmp_path / "notes", **{"a.txt": "longer, so it is read first", "b.tex": "whole"})
    command = [sys.executable, "-c", SLOW, str(tmp_path / "notes"), str(tmp_path / "cache")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        assert process.stdout.readline() == b"reading\n"
        os.killpg(process.pid, signal.SIGKILL)
    assert sorted(path.suffix for path in (tmp_path / "cache").rglob("[!.]*.*")) == [".json", ".txt"], "of a.txt alone"
    collection = read_documents(tmp_path / "notes", tmp_path / "cache")
    assert collection.read == 1
    assert texts(collection)["b.tex"].strip() == "whole"


PDF, WORD = "cheatsheets/{}.pdf", "chapter_{}.docx"
SENTENCES = {
    PDF.format("cheatsheet-deep-learning"): "Neural networks are a class of models that are built with layers.",
    PDF.format(
        "cheatsheet-machine-learning-tips-and-tricks"
    ): "Once the model has been chosen, it is trained on the entire dataset and tested on the unseen test set.",
    PDF.format(
        "cheatsheet-supervised-learning"
    ): "The hinge loss is used in the setting of SVMs and is defined as follows",
    PDF.format(
        "cheatsheet-unsupervised-learning"
    ): "such that the higher the score, the more dense and well separated the clusters are.",
    PDF.format("refresher-probabilities-statistics"): "Let the variables X and Y be linked by some function.",
    WORD.format("gaussian-processes/gp-inference"): "y typically represents a continuous output, such as a land surface"
    " temperature, a sea-level, a CO2 concentration, etc.",
    WORD.format(
        "gaussian-processes/gp-intro"
    ): "if we want to create an interval with a 95% probability that f(x) is in the interval, we would use m±2s.",
    WORD.format(
        "gaussian-processes/gp-priors"
    ): "We can collapse each radial basis function to a point mass taking ℓ→0, and"
    " give each point mass any height we wish.",
    WORD.format("gaussian-processes/index"): "In this chapter, we introduce Gaussian processes.",
    WORD.format("recurrent-neural-networks/bptt"): "This is what we have been doing in RNN experiments.",
    WORD.format(
        "recurrent-neural-networks/index"
    ): "RNNs have a long discipline-spanning history, originating as models of the brain",
    WORD.format(
        "recurrent-neural-networks/language-model"
    ): "We might measure the quality of the model by computing the likelihood of the sequence.",
    WORD.format(
        "recurrent-neural-networks/rnn-concise"
    ): "Note that we need to create a separate fully connected output layer.",
    WORD.format(
        "recurrent-neural-networks/rnn-scratch"
    ): "we backpropagate gradients through time, resulting in a chain of matrix-products of length O(T).",
    WORD.format(
        "recurrent-neural-networks/rnn"
    ): "the parametrization cost of an RNN does not grow as the number of time steps increases.",
    WORD.format(
        "recurrent-neural-networks/sequence"
    ): "In principle, there is nothing wrong with unfolding P(x1,…,xT) in reverse order.",
    WORD.format(
        "recurrent-neural-networks/text-sequence"
    ): "Using the real corpus and the Vocab class defined over words, we"
    " can inspect basic statistics concerning word use in our corpus.",
}


def test_real_notes_are_all_read(real_data, tmp_path):
    collection = read_documents(real_data / "notes" / "ml", tmp_path / "cache")
    assert (len(collection.documents), collection.skipped) == (196, ())
    found = texts(collection)
    assert {name for name in found if name.endswith((".pdf", ".docx"))} == set(SENTENCES)
    for name, sentence in SENTENCES.items():
        assert sentence in " ".join(found[name].split()), name
