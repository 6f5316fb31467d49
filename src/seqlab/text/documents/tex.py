"""Reads LaTeX sources (.tex), by pylatexenc."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqlab.text.documents.fences import fenced
from seqlab.text.documents.plain_text import read_plain

# pylatexenc keeps only the verbatim environment literally, so the other listings are turned into it.
LISTING = re.compile(r"\\(begin|end)\{(?:lstlisting|minted|Verbatim)\*?\}(?:\[[^\]\n]*\])?(?:\{\w+\}$)?", re.MULTILINE)
HEADINGS = ("part", "chapter", "section", "subsection", "subsubsection", "paragraph", "subparagraph")
SILENT = ("maketitle", "today", "date", "cite", "citep", "citet", "ref", "eqref", "label", "footnotemark")


def read_tex(path: Path) -> Iterator[str]:
    """The text without commands and comments; formulas stay as LaTeX, listings become fenced code.

    Included files are not inserted: each is a separate document.
    """
    from pylatexenc.latex2text import LatexNodes2Text
    from pylatexenc.latexwalker import LatexWalker

    source = LISTING.sub(r"\\\1{verbatim}", "".join(read_plain(path)))
    nodes, _, _ = LatexWalker(source).get_latex_nodes()
    text = LatexNodes2Text(latex_context=_shown(), math_mode="verbatim").nodelist_to_text(nodes)
    yield re.sub(r"\n{3,}", "\n\n", text).lstrip("\n")


def _shown() -> Any:
    """How commands are rendered; by default pylatexenc would upper-case headings and insert today's date."""
    from pylatexenc.latex2text import EnvironmentTextSpec, MacroTextSpec, get_default_latex_context_db

    shown = get_default_latex_context_db()
    shown.add_context_category(
        "seqlab",
        macros=[
            # The third argument is the title, after an optional star and an optional short title.
            *(MacroTextSpec(name, simplify_repl="\n\n%(3)s\n\n") for name in HEADINGS),
            *(MacroTextSpec(name, simplify_repl="\n\n%(1)s\n\n") for name in ("title", "author")),
            *(MacroTextSpec(name, discard=True) for name in SILENT),
        ],
        environments=[EnvironmentTextSpec("verbatim", simplify_repl=_code)],
        prepend=True,
    )
    return shown


def _code(node: Any) -> str:
    return "\n" + fenced(node.nodeargd.verbatim_text)
