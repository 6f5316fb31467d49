"""Documents of every format, made on the spot, each holding what the test puts into it."""

import io
import json
import zipfile
from pathlib import Path

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)  # how an encrypted Word file begins
ENCRYPT = b"<< /Filter /Standard /V 1 /R 2 /P -4 /O (%b) /U (%b) >>" % (b"o" * 32, b"u" * 32)


def pdf(*pages: list[str], encrypted: bool = False) -> bytes:
    """A PDF with these lines on its pages."""
    kids = b" ".join(b"%d 0 R" % (4 + 2 * i) for i in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%b] /Count %d >>" % (kids, len(pages)),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for i, lines in enumerate(pages):
        content = b"BT /F1 12 Tf 14 TL 72 720 Td %b ET" % b" ".join(b"(%b) Tj T*" % line.encode() for line in lines)
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R"
            b" /Resources << /Font << /F1 3 0 R >> >> >>" % (5 + 2 * i)
        )
        objects.append(b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content))
    if encrypted:
        objects.append(ENCRYPT)
    data, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    entries = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    table = b"xref\n0 %d\n0000000000 65535 f \n%b" % (len(objects) + 1, entries)
    security = b" /Encrypt %d 0 R /ID [(abc) (abc)]" % len(objects) if encrypted else b""
    trailer = b"trailer << /Size %d /Root 1 0 R%b >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, security, len(data))
    return data + table + trailer


def archive(**members: str | bytes) -> bytes:
    """A zip archive; the members' names have __ for / and _ for . in them."""
    return zipped({name.replace("__", "/").replace("_", "."): text for name, text in members.items()})


def zipped(members: dict[str, str | bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in members.items():
            file.writestr(name, text)
    return data.getvalue()


def epub(chapters: dict[str, str], encryption: str = "") -> bytes:
    """A book whose spine has the chapters in their order, while manifest and archive have them sorted."""
    items = "".join(
        f'<item id="{name}" href="text/{name}.xhtml" media-type="application/xhtml+xml"/>' for name in sorted(chapters)
    )
    spine = "".join(f'<itemref idref="{name}"/>' for name in chapters)
    members: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="book/content.opf"/></rootfiles></container>',
        "book/content.opf": '<package xmlns="http://www.idpf.org/2007/opf"><manifest>'
        f'{items}<item id="css" href="s.css" media-type="text/css"/></manifest><spine>{spine}</spine></package>',
    }
    for name in sorted(chapters):
        members[f"book/text/{name}.xhtml"] = (
            '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title>t</title>'
            f"</head><body>{chapters[name]}</body></html>"
        )
    if encryption:
        members["META-INF/encryption.xml"] = (
            '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
            f'<CipherReference xmlns="http://www.w3.org/2001/04/xmlenc#" URI="{encryption}"/></encryption>'
        )
    return zipped(members)


def notebook(*cells: tuple[str, str]) -> bytes:
    """A Jupyter notebook of (kind, source) cells."""
    content = [
        {"cell_type": kind, "metadata": {}, "source": source.splitlines(keepends=True)}
        | ({"outputs": [], "execution_count": None} if kind == "code" else {})
        for kind, source in cells
    ]
    return json.dumps({"cells": content, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}).encode()


def word(path: Path) -> None:
    """A Word file: heading, paragraph, formula, table, code."""
    from docx import Document
    from docx.enum.style import WD_STYLE_TYPE
    from docx.oxml import parse_xml

    document = Document()
    document.styles.add_style("Source Code", WD_STYLE_TYPE.PARAGRAPH)
    document.add_heading("On hens", 1)
    formula = document.add_paragraph("A hen lays ")
    maths = "http://schemas.openxmlformats.org/officeDocument/2006/math"
    part = "<m:r><m:t>{}</m:t></m:r>".format
    formula._p.append(
        parse_xml(
            f'<m:oMath xmlns:m="{maths}">{part("f")}<m:d><m:e>{part("x")}</m:e></m:d>{part("=")}'
            f"<m:f><m:num>{part('1')}</m:num><m:den>{part('2')}</m:den></m:f></m:oMath>"
        )
    )
    formula.add_run(" eggs.")
    table = document.add_table(2, 2)
    for cell, text in zip((c for row in table.rows for c in row.cells), ("hen", "eggs", "Ada", "7"), strict=True):
        cell.text = text
    document.add_paragraph("lay()", style="Source Code")
    document.add_paragraph("lay(2)", style="Source Code")
    document.add_paragraph("The end.")
    document.save(str(path))


def slides(path: Path) -> None:
    """A PowerPoint file: a title, a group, a table, notes."""
    from pptx import Presentation
    from pptx.util import Inches

    presentation = Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[5])
    slide.shapes.title.text = "On hens"
    box = [Inches(n) for n in (1, 2, 3, 1)]
    slide.shapes.add_group_shape().shapes.add_textbox(*box).text_frame.text = "The hen lays an egg."
    cells = slide.shapes.add_table(1, 2, *box).table.rows[0].cells
    cells[0].text, cells[1].text = "Ada", "7"
    slide.notes_slide.notes_text_frame.text = "Say it slowly."
    presentation.save(str(path))
