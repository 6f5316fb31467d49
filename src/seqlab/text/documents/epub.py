"""Reads e-books (.epub): web pages in a zip archive, in the order of the book's spine."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from seqlab.text.documents.content import check_is_archive
from seqlab.text.documents.html import html_text
from seqlab.text.documents.unreadable import UnreadableError

if TYPE_CHECKING:
    from lxml.etree import _Element

CONTAINER = "META-INF/container.xml"
ENCRYPTION = "META-INF/encryption.xml"
PAGES = ("application/xhtml+xml", "text/html")


def read_epub(path: Path) -> Iterator[str]:
    """Yields the text page by page.

    Raises:
        UnreadableError: not an EPUB, protected against copying, or damaged.
    """
    check_is_archive(path, "an EPUB", CONTAINER)
    with zipfile.ZipFile(path) as archive:
        pages = _spine(archive)
        if ENCRYPTION in archive.namelist() and set(pages) & set(_encrypted(archive)):
            raise UnreadableError("encrypted (protected against copying)")
        for page in pages:
            yield html_text(archive.read(page)) + "\n\n"


def _spine(archive: zipfile.ZipFile) -> list[str]:
    """The pages' names in reading order (EPUB 3.3, section 5)."""
    roots = _xml(archive, CONTAINER).xpath("//*[local-name()='rootfile']/@full-path")
    if not roots:
        raise UnreadableError("damaged (its container names no package)")
    package = _xml(archive, str(roots[0]))
    items = {item.get("id"): item for item in package.xpath("//*[local-name()='manifest']/*")}
    folder = posixpath.dirname(str(roots[0]))
    spine = (items.get(reference.get("idref")) for reference in package.xpath("//*[local-name()='itemref']"))
    return [
        posixpath.normpath(posixpath.join(folder, unquote(item.get("href"))))
        for item in spine
        if item is not None and item.get("media-type") in PAGES
    ]


def _encrypted(archive: zipfile.ZipFile) -> list[str]:
    uris = _xml(archive, ENCRYPTION).xpath("//*[local-name()='CipherReference']/@URI")
    return [unquote(str(uri)) for uri in uris]


def _xml(archive: zipfile.ZipFile, name: str) -> _Element:
    from lxml import etree

    try:
        return etree.fromstring(archive.read(name), etree.XMLParser(resolve_entities=False, no_network=True))
    except (KeyError, etree.XMLSyntaxError) as error:
        raise UnreadableError(f"damaged ({error})") from None
