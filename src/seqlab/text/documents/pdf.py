"""Reads PDF files, by pypdfium2."""

from collections.abc import Iterator
from pathlib import Path

from hydra_pruning_sweeper.messages import plural
from seqlab.text.documents.content import check_is_pdf
from seqlab.text.documents.unreadable import UnreadableError

# pdfium joins a word that is hyphenated at a line end and puts this character in place of the hyphen.
HYPHENATED = "\ufffe"
SOFT_HYPHEN = "\u00ad"


def read_pdf(path: Path) -> Iterator[str]:
    """The text page by page, with the line breaks of the page; a hyphen at a line end becomes a soft hyphen.

    Raises:
        UnreadableError: not a PDF, encrypted, damaged, or only images of pages (a scan).
    """
    from pypdfium2 import PdfDocument, PdfiumError

    check_is_pdf(path)
    try:
        document = PdfDocument(path)
    except PdfiumError as error:
        reason = "encrypted" if "password" in str(error).lower() else "truncated or damaged"
        raise UnreadableError(f"{reason} ({error})") from None
    try:
        empty = True
        for page in document:
            text = page.get_textpage().get_text_range().replace("\r\n", "\n").replace(HYPHENATED, SOFT_HYPHEN)
            empty = empty and not text.strip()
            yield f"{text}\n\n"
        if empty:
            raise UnreadableError(f"no text in {plural(len(document), 'page')} (a scan?)")
    finally:
        document.close()
