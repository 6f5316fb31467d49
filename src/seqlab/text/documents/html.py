"""Reads web pages: the text that a browser would show, by beautifulsoup4 with lxml."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from seqlab.text.documents.content import check_is_text
from seqlab.text.documents.fences import fenced

if TYPE_CHECKING:
    from bs4 import Tag

UNSEEN = frozenset(("script", "style", "head", "template", "noscript", "svg", "annotation", "iframe"))
PARAGRAPHS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "body", "dd", "details", "div", "dl", "dt", "fieldset"),
        *("figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "html"),
        *("legend", "main", "nav", "ol", "p", "section", "summary", "table", "ul"),
    )
)
LINES = frozenset(("li", "tr", "caption", "br", "option"))


def read_html(path: Path) -> Iterator[str]:
    """The text, one line per paragraph and a blank line between them; preformatted blocks become fenced code."""
    yield html_text(path.read_bytes())


def html_text(data: bytes) -> str:
    """The text of a page, in the encoding that it declares, else in a guessed one.

    Raises:
        UnreadableError: the data is not text.
    """
    import lxml.etree  # noqa: F401 - the parser, whose absence beautifulsoup4 would take for a damaged page
    from bs4 import BeautifulSoup, XMLParsedAsHTMLWarning

    check_is_text(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)  # XHTML, as EPUB has it, reads well as HTML
        soup = BeautifulSoup(data, "lxml")
    blocks = ((kind, "".join(parts)) for kind, parts in groupby(_flow(soup), key=type))
    even = (block if kind is _Code else _even(block) for kind, block in blocks)
    return "\n\n".join(stripped for block in even if (stripped := block.strip("\n"))) + "\n"


class _Code(str):
    """Text in which every space counts."""


def _even(text: str) -> str:
    # Browsers ignore spaces around line breaks, and one blank line separates as well as two.
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"(?<![ \t])[ \t]*\n *", "\n", text)).strip(" ")


def _flow(tag: Tag) -> Iterator[str]:
    from bs4.element import NavigableString, Tag

    for child in tag.children:
        if type(child) is NavigableString:  # comments and doctypes are subclasses
            yield re.sub(r"[ \t\r\n\f]+", " ", child)
        elif isinstance(child, Tag) and child.name not in UNSEEN:
            yield from _element(child)


def _element(tag: Tag) -> Iterator[str]:
    if tag.name == "pre":
        yield _Code(fenced(tag.get_text()))
        return
    end = "\n\n" if tag.name in PARAGRAPHS else "\n" if tag.name in LINES else ""
    if end:
        yield end
    yield from _flow(tag)
    if tag.name in ("td", "th"):
        yield "\t"
    elif tag.name != "br":
        yield end
