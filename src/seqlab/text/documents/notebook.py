"""Reads Jupyter notebooks (.ipynb), by nbformat."""

import json
from collections.abc import Iterator
from pathlib import Path

from seqlab.text.documents.fences import fenced
from seqlab.text.documents.unreadable import UnreadableError


def read_notebook(path: Path) -> Iterator[str]:
    """Text cells as they are and code cells as fenced code, in order; outputs are left out.

    Raises:
        UnreadableError: not JSON, or not a notebook.
    """
    import nbformat

    try:
        notebook = nbformat.reads(path.read_text(encoding="utf-8-sig"), as_version=4)
    except (json.JSONDecodeError, UnicodeDecodeError, nbformat.reader.NotJSONError):
        raise UnreadableError("not a notebook, or truncated (not JSON)") from None
    language = notebook.metadata.get("kernelspec", {}).get("language", "")
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield f"{cell.source}\n\n"
        elif cell.cell_type == "code" and cell.source.strip():
            yield fenced(cell.source, language) + "\n"
