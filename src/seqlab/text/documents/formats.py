"""The reader for each file suffix."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from seqlab.text.documents.epub import read_epub
from seqlab.text.documents.html import read_html
from seqlab.text.documents.notebook import read_notebook
from seqlab.text.documents.pdf import read_pdf
from seqlab.text.documents.plain_text import read_plain
from seqlab.text.documents.slides import read_slides
from seqlab.text.documents.tex import read_tex
from seqlab.text.documents.word import read_word


@dataclass(frozen=True)
class Format:
    """A reader and its version: raise the version when a reader's output changes, and its files are read again.

    The reader yields a file's text in pieces, and raises `UnreadableError` or any exception of its library.
    """

    name: str
    read: Callable[[Path], Iterator[str]]
    version: int = 2


PLAIN = Format("plain", read_plain)
HTML = Format("html", read_html)
FORMATS = {
    ".txt": PLAIN,
    ".text": PLAIN,
    ".md": PLAIN,
    ".markdown": PLAIN,
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": HTML,
    ".pdf": Format("pdf", read_pdf),
    ".docx": Format("word", read_word),
    ".pptx": Format("slides", read_slides),
    ".epub": Format("epub", read_epub),
    ".ipynb": Format("notebook", read_notebook),
    ".tex": Format("tex", read_tex),
}
