"""Every reader gives back what was put into a file of its format, and says what is wrong with a bad one."""

import codecs

import pytest
from document_files import OLE, archive, epub, notebook, pdf, slides, word

from seqlab.text.documents.formats import FORMATS
from seqlab.text.documents.unreadable import UnreadableError

SENTENCE = "The hen lays an egg in the straw."


def read(path):
    return "".join(FORMATS[path.suffix].read(path))


def written(path, data):
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def test_every_format_has_its_reader():
    assert {".txt", ".md", ".html", ".pdf", ".docx", ".pptx", ".epub", ".ipynb", ".tex"} <= set(FORMATS)


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b""),
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("utf-32-le", codecs.BOM_UTF32_LE),
        ("utf-16-le", b""),
        ("cp1252", b""),
    ],
)
def test_plain_text_comes_back_in_whatever_encoding(tmp_path, encoding, mark):
    text = "Les élèves naïfs goûtèrent à l’œuvre, près du château où dînait l'abbé.\r\nDéjà vu ?\n" * 7
    assert read(written(tmp_path / "a.txt", mark + text.encode(encoding))) == text


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1250", "Zażółć gęślą jaźń. Święta są piękne, a źrebię śpi pod dębem w żółtym świetle.\n"),
        ("cp1251", "Съешь же ещё этих мягких французских булок, да выпей чаю. Вчера было холодно.\n"),
        ("shift_jis", "吾輩は猫である。名前はまだ無い。どこで生れたか見当がつかぬ。\n"),
    ],
)
def test_encodings_of_other_languages(tmp_path, encoding, text):
    assert read(written(tmp_path / "a.txt", (text * 5).encode(encoding))) == text * 5


ENGLISH = "The hen lays an egg in the straw, and nobody looks.\n" * 28_000
FRENCH = "Les élèves naïfs goûtèrent à l’œuvre, près du château où dînait l'abbé.\nDéjà vu ?\n" * 9


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ((ENGLISH + FRENCH).encode("cp1252"), ENGLISH + FRENCH),
        ((ENGLISH + "Stra\u00dfe\n").encode("cp1252"), ENGLISH + "Stra\u00dfe\n"),
        ((ENGLISH + FRENCH).encode() + b"\xc3", ENGLISH + FRENCH + "\ufffd"),
        (FRENCH.encode() + b"\xff" + FRENCH.encode(), FRENCH + "\ufffd" + FRENCH),
        (("\ufffd" * 9).encode(), "\ufffd" * 9),
    ],
    ids=["late French", "one late letter", "late damage", "early damage", "damaged before"],
)
def test_the_encoding_is_that_of_the_whole_file(tmp_path, data, expected):
    assert read(written(tmp_path / "a.txt", data)) == expected


def test_characters_may_span_two_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("seqlab.text.documents.plain_text.PIECE", 7)
    text = "größer 中文 🥚 " * 11
    pieces = list(FORMATS[".md"].read(written(tmp_path / "a.md", text)))
    assert "".join(pieces) == text
    assert max(map(len, pieces)) <= 7


def test_markdown_stays_as_it_is(tmp_path):
    text = "---\ntitle: Hens\n---\n# Hens\n\n* an _egg_ \n\n```py\nx\n```\n"
    assert read(written(tmp_path / "a.md", text)) == text


def test_html_shows_what_a_browser_shows(tmp_path):
    page = """<!DOCTYPE html><html><head><title>no</title><style>p {}</style><script>no()</script></head><body>
    <!-- no --><h1>On
    hens</h1><p>The <b>hen</b> lays an&nbsp;egg<sup>1</sup>.<br>Daily.</p>
    <ul><li>one</li><li>two</li></ul>
    <table><tr><th>hen</th><th>eggs</th></tr><tr><td>Ada</td><td>7</td></tr></table>
    <pre><code>if x:
        y   = "```"

    z</code></pre><div>The <em>end</em>.</div></body></html>"""
    assert read(written(tmp_path / "a.html", page)).strip() == (
        "On hens\n\nThe hen lays an\N{NO-BREAK SPACE}egg1.\nDaily.\n\none\n\ntwo\n\nhen\teggs\n\nAda\t7\n\n"
        '````\nif x:\n        y   = "```"\n\n    z\n````\n\nThe end.'
    )


def test_html_declares_its_encoding(tmp_path):
    page = '<meta charset="iso-8859-1"><p>Der H\xfchnerhof</p>'.encode("latin-1")
    assert read(written(tmp_path / "a.html", page)).strip() == "Der Hühnerhof"


def test_pdf_page_by_page(tmp_path):
    pages = list(
        FORMATS[".pdf"].read(written(tmp_path / "a.pdf", pdf([SENTENCE, "It was lar-", "ger."], ["Page two."])))
    )
    assert pages == [f"{SENTENCE}\nIt was lar\N{SOFT HYPHEN}ger.\n\n", "Page two.\n\n"]


def test_word_in_order_with_formulas_tables_and_code(tmp_path):
    word(tmp_path / "a.docx")
    assert read(tmp_path / "a.docx") == (
        "On hens\n\nA hen lays f(x)=1/2 eggs.\n\nhen\teggs\n\nAda\t7\n\n```\nlay()\nlay(2)\n```\n\nThe end.\n\n"
    )


def test_slides_with_groups_tables_and_notes(tmp_path):
    slides(tmp_path / "a.pptx")
    assert read(tmp_path / "a.pptx") == "On hens\n\nThe hen lays an egg.\n\nAda\t7\n\nSay it slowly.\n\n"


def test_epub_in_the_order_of_its_spine(tmp_path):
    book = epub({"z": f"<h1>First</h1><p>{SENTENCE}</p>", "a": "<p>Second</p>"})
    assert read(written(tmp_path / "a.epub", book)).split() == ["First", *SENTENCE.split(), "Second"]


def test_notebook_keeps_text_and_fences_code(tmp_path):
    data = notebook(("markdown", f"# Hens\n{SENTENCE}"), ("code", "lay()\n"), ("raw", "no"), ("markdown", "End."))
    assert read(written(tmp_path / "a.ipynb", data)) == f"# Hens\n{SENTENCE}\n\n```\nlay()\n```\n\nEnd.\n\n"


def test_tex_without_its_commands(tmp_path):
    source = r"""\documentclass{article} % no
\title{On Hens}
\begin{document}
\maketitle
\section*{Eggs}
The \emph{hen} lays\footnote{daily} an \"egg in $\R^2$~\cite{no}.\label{no}
\begin{minted}[no]{python}
lay()  # {
\end{minted}
\begin{itemize}\item One\end{itemize}
\end{document}"""
    text = read(written(tmp_path / "a.tex", source))
    words = " ".join(text.split())
    assert words == r"On Hens Eggs The hen lays[daily] an ëgg in $\R^2$ . ``` lay() # { ``` * One"
    assert "\n```\nlay()  # {\n```\n" in text


SLIDES = "ppt/presentation.xml"
BAD = [
    ("a.pdf", pdf(["hen"], encrypted=True), "encrypted"),
    ("a.pdf", pdf([], []), "no text in 2 pages"),
    ("a.pdf", pdf([SENTENCE])[:400], "truncated or damaged"),
    ("a.pdf", SENTENCE.encode(), "not a PDF"),
    ("a.txt", pdf([SENTENCE]), "not text but a PDF"),
    ("a.md", archive(a_xml="x"), "not text but a zip archive"),
    ("a.tex", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not text but a PNG image"),
    ("a.html", b"\xff\xd8\xff\xe0\0\x10JFIF", "not text but a JPEG image"),
    ("a.txt", bytes(range(256)) * 9, "binary"),
    ("a.docx", OLE, "encrypted, or an old Office file"),
    ("a.docx", SENTENCE.encode(), "not a Word"),
    ("a.docx", archive(xl__workbook_xml="x"), r"not a Word .*word/document.xml is not in it"),
    ("a.pptx", archive(word__document_xml="x"), r"not a PowerPoint"),
    ("a.docx", archive(word__document_xml=SENTENCE)[:60], "truncated"),
    ("a.docx", archive(word__document_xml=bytes(1 << 22)), "would unpack to 4,194,304 bytes"),
    ("a.epub", epub({"a": SENTENCE})[:300], "truncated"),
    ("a.epub", epub({"a": SENTENCE}, encryption="book/text/a.xhtml"), "encrypted"),
    ("a.epub", archive(a_xml="x"), "not an EPUB"),
    ("a.ipynb", notebook(("markdown", SENTENCE))[:50], "not JSON"),
    ("a.ipynb", b"\xff" + notebook(("markdown", SENTENCE)), "not JSON"),
]


@pytest.mark.parametrize(("name", "data", "reason"), BAD, ids=[f"{name} {reason}" for name, _, reason in BAD])
def test_the_reason_says_what_is_wrong_with_a_bad_file(tmp_path, name, data, reason):
    with pytest.raises(UnreadableError, match=reason):
        read(written(tmp_path / name, data))


def test_a_font_that_is_encrypted_does_not_hide_a_book(tmp_path):
    book = epub({"a": SENTENCE}, encryption="book/font.otf")
    assert read(written(tmp_path / "a.epub", book)).strip() == SENTENCE
