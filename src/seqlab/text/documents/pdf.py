"""PDF, by pypdfium2."""

from collections.abc import Iterator
from pathlib import Path

from seqlab.text.documents.content import check_is_pdf
from seqlab.text.documents.unreadable import UnreadableError

# pdfium joins a word broken at a line's end and leaves this where the hyphen was.
HYPHENATED = "\ufffe"
SOFT_HYPHEN = "\u00ad"


def read_pdf(path: Path) -> Iterator[str]:
    """The text page by page, lines as they are set; a hyphen that ended a line becomes a soft one.

    Raises:
        UnreadableError: not a PDF, encrypted, damaged, or pictures of pages (a scan).
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
            raise UnreadableError(f"no text in {len(document)} pages (a scan?)")
    finally:
        document.close()
