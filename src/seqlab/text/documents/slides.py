"""Reads PowerPoint presentations (.pptx), by python-pptx."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from seqlab.text.documents.content import check_is_archive


def read_slides(path: Path) -> Iterator[str]:
    """For each slide, the text of its shapes, groups and tables (cells separated by tabs), then its notes.

    Raises:
        UnreadableError: not a PowerPoint file, encrypted or damaged.
    """
    from pptx import Presentation

    check_is_archive(path, "a PowerPoint (.pptx)", "ppt/presentation.xml")
    for slide in Presentation(str(path)).slides:
        for text in _texts(slide.shapes):
            if text.strip():
                yield f"{text}\n\n"
        frame = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
        if frame is not None and frame.text.strip():
            yield f"{frame.text}\n\n"


def _texts(shapes: Iterable[Any]) -> Iterator[str]:
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _texts(shape.shapes)
        elif shape.has_text_frame:
            # python-pptx writes a line break inside a paragraph as a vertical tab.
            yield shape.text_frame.text.replace("\v", "\n")
        elif getattr(shape, "has_table", False):
            for row in shape.table.rows:
                yield "\t".join(cell.text for cell in row.cells)
