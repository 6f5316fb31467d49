"""A library that only a part of seqlab needs may be missing: that part says in one line what to type."""

import sys
import tomllib

import pytest
from document_files import epub, notebook, pdf, slides, word
from support import ROOT

from seqlab import paths
from seqlab.errors import InputError
from seqlab.extras import EXTRAS, install_line
from seqlab.text.documents import read_documents
from seqlab.text.documents.formats import FORMATS

DISTRIBUTIONS = {"beautifulsoup4": "bs4", "python-docx": "docx", "python-pptx": "pptx"}
HEN = "The hen lays an egg."
NEEDS = [
    ("page.html", "bs4"),
    ("page.html", "lxml"),
    ("book.epub", "bs4"),
    ("book.epub", "lxml"),
    ("scan.pdf", "pypdfium2"),
    ("letter.docx", "docx"),
    ("talk.pptx", "pptx"),
    ("work.ipynb", "nbformat"),
    ("paper.tex", "pylatexenc"),
    ("poem.txt", "charset_normalizer"),
]


@pytest.fixture
def documents(tmp_path):
    """A folder with a document of every format; the plain one is not UTF-8."""
    folder = tmp_path / "documents"
    folder.mkdir()
    contents = {
        "page.html": f"<p>{HEN}</p>".encode(),
        "book.epub": epub({"a": f"<p>{HEN}</p>"}),
        "scan.pdf": pdf([HEN]),
        "work.ipynb": notebook(("markdown", HEN)),
        "paper.tex": HEN.encode(),
        "poem.txt": ("Les élèves naïfs goûtèrent à l'œuvre, près du château. " * 7).encode("cp1252"),
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    word(folder / "letter.docx")
    slides(folder / "talk.pptx")
    return folder


def hide(monkeypatch, module):
    """Has `module` not installed."""
    for name in [name for name in sys.modules if name == module or name.startswith(f"{module}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)


def test_extras_install_what_is_imported():
    ours, sweepers = (
        tomllib.loads((ROOT / path).read_text(encoding="utf-8"))["project"]["optional-dependencies"]
        for path in ("pyproject.toml", "src/pyproject.toml")
    )
    for extra in set(EXTRAS.values()):
        lines = sweepers[extra] if ours[extra] == [f"hydra-pruning-sweeper[{extra}]"] else ours[extra]
        names = [line.partition(">")[0] for line in lines]
        modules = {DISTRIBUTIONS.get(name, name.replace("-", "_")) for name in names}
        assert modules == {module for module in EXTRAS if EXTRAS[module] == extra}
    assert {module for module in EXTRAS if EXTRAS[module] == "documents"} == {module for _, module in NEEDS}


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """The folder of a clone with an environment in `.venv`, which is not activated."""
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/pip").touch(mode=0o755)
    (tmp_path / "src/seqlab").mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(paths, "PACKAGE", tmp_path / "src/seqlab")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    monkeypatch.setenv("PATH", "")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_line_that_installs_an_extra_can_be_typed_as_it_is(environment, monkeypatch):
    assert install_line("jinja2") == '.venv/bin/pip install -e ".[report]"'
    monkeypatch.setenv("PATH", str(environment / ".venv/bin"))  # it is activated
    assert install_line("jinja2") == 'pip install -e ".[report]"'
    (environment / "work").mkdir()
    monkeypatch.chdir(environment / "work")
    assert install_line("jinja2") == f"pip install -e '{environment}[report]'"
    (environment / "pyproject.toml").unlink()  # it is installed from a wheel
    assert install_line("jinja2") == 'pip install "seqlab[report]"'


@pytest.mark.parametrize(("name", "module"), NEEDS)
def test_a_reader_names_the_library_it_misses(documents, tmp_path, monkeypatch, name, module):
    with monkeypatch.context() as hidden:
        hide(hidden, module)
        with pytest.raises(InputError) as stop:
            read_documents(documents / name, tmp_path / "cache")
    line = f"reading {name} needs {module}, which is not installed; type {install_line(module)}"
    assert str(stop.value) == line
    assert read_documents(documents / name, tmp_path / "cache").documents, "once it is there, the file is read"


def test_without_readers_plain_text_is_read(documents, tmp_path, monkeypatch):
    for _, module in NEEDS:
        hide(monkeypatch, module)
    (documents / "poem.txt").write_text(HEN, encoding="utf-8")
    assert read_documents(documents / "poem.txt", tmp_path / "cache").documents
    assert {f".{name.rpartition('.')[2]}" for name, _ in NEEDS} <= set(FORMATS)
