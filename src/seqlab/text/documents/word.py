"""Reads Word documents (.docx), by python-docx."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqlab.text.documents.content import check_is_archive
from seqlab.text.documents.fences import fenced

if TYPE_CHECKING:
    from docx.document import Document

CODE_STYLES = ("source code", "html preformatted", "code")
MATHS = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"


def read_word(path: Path) -> Iterator[str]:
    """Paragraphs and table rows in order, cells separated by tabs; paragraphs in a code style become fenced code.

    Formulas, which python-docx leaves out, are included as their characters.

    Raises:
        UnreadableError: not a Word file, encrypted or damaged.
    """
    from docx import Document

    check_is_archive(path, "a Word (.docx)", "word/document.xml")
    document = Document(str(path))
    code: list[str] = []
    for paragraph, style in _blocks(document.element.body, _style_names(document)):
        if style in CODE_STYLES:
            code.append(paragraph)
            continue
        if code:
            yield fenced("\n".join(code)) + "\n"
            code = []
        if paragraph.strip():
            yield f"{paragraph}\n\n"
    if code:
        yield fenced("\n".join(code)) + "\n"


def _style_names(document: Document) -> dict[str, str]:
    return {style.style_id: (style.name or "").lower() for style in document.styles}


def _blocks(element: Any, styles: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The text and the style of every paragraph and table row below an XML element, content controls included."""
    from docx.oxml.ns import qn

    for child in element:
        if child.tag == qn("w:p"):
            yield _inline(child), styles.get(child.style or "", "")
        elif child.tag == qn("w:tr"):
            cells = child.iterchildren(qn("w:tc"))
            yield "\t".join(" ".join(text for text, _ in _blocks(cell, styles)) for cell in cells), ""
        else:
            yield from _blocks(child, styles)


def _inline(element: Any) -> str:
    from docx.oxml.ns import qn

    parts: list[str] = []
    for child in element:
        if child.tag in (qn("w:t"), f"{MATHS}t"):
            parts.append(child.text or "")
        elif child.tag in (qn("w:br"), qn("w:cr")):
            parts.append("\n")
        elif child.tag == qn("w:tab"):
            parts.append("\t")
        elif child.tag == qn("w:noBreakHyphen"):
            parts.append("-")
        elif child.tag == f"{MATHS}d":
            parts.append(_delimited(child))
        elif child.tag == f"{MATHS}den":
            parts.append("/" + _inline(child))
        # A Fallback repeats the same text for old versions of Word.
        elif child.tag != qn("w:pPr") and not str(child.tag).endswith("}Fallback"):
            parts.append(_inline(child))
    return "".join(parts)


def _delimited(element: Any) -> str:
    """A formula in brackets: its properties say which ones, ( and ) by default."""

    def sign(name: str, default: str) -> str:
        entry = element.find(f"{MATHS}dPr/{MATHS}{name}")
        return default if entry is None else entry.get(f"{MATHS}val", "")

    inner = sign("sepChr", "|").join(_inline(part) for part in element.iterchildren(f"{MATHS}e"))
    return sign("begChr", "(") + inner + sign("endChr", ")")
