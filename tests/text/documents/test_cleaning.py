"""Every step of cleaning against a text written by hand, and all of them in a stream."""

import random
import tracemalloc
from pathlib import Path

import pytest

from seqlab.text.documents import Cleaned, Cleaning, Collection, Document, read_documents
from seqlab.text.documents import steps as cleaning_steps
from seqlab.text.documents.cleaning import _shingles, _signature
from seqlab.text.documents.steps import Tally, paragraphs, without_fences, without_front_matter, without_markup
from seqlab.text.forms import normalised

NOTHING = dict.fromkeys(("normalise", "front_matter", "code_fences", "markup", "duplicates"), False)


def lines(text):
    return text.splitlines(keepends=True)


def collection(folder, **texts):
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.txt").write_bytes(text.encode())
    return read_documents(folder, folder / ".cache", processes=1)


def cleaned(folder, texts, **settings):
    result = Cleaned(collection(folder, **texts), Cleaning(**NOTHING | settings))
    return {name.removesuffix(".txt"): "".join(parts) for name, parts in result}, result


def test_with_everything_off_a_text_stays_as_it_is(tmp_path):
    text = "\n \n---\na: b\n---\r\nOne \xa0hen.\rTwo.\n\n\n\n```\nx\n```\nde\u0301 :ref:`x`\n \t\nEnd"
    found, result = cleaned(tmp_path, {"a": text, "b": text})
    assert found == {"a": text, "b": text}
    assert result.report() == f"2 of 2 documents, {2 * len(text)} of {2 * len(text)} characters"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Cafe\u0301\r\nau\rlait", "Café\nau\nlait"),
        ("a\u00a0b\u2009c\u3000d  e\t\n", "a b c d  e\n"),
        ("z\u200be\ufeffr\u2060o\x00\x1f\x9c", "zero"),
        ("o\ufb03ce \ufb02y", "office fly"),
        ("regu\u00adlar and regu\u00ad\r\nlarised hens, well-\nknown", "regular and regularised hens, well-\nknown"),
        ("at the end regu\u00ad", "at the end regu"),
        ("at the end regu\u00ad \r\n", "at the end regu\n"),
        ("one\ftwo\u2028three", "one\ntwo\nthree"),
        (
            "\N{WOMAN}\u200d\N{PERSONAL COMPUTER} \N{SUPERSCRIPT TWO}",
            "\N{WOMAN}\u200d\N{PERSONAL COMPUTER} \N{SUPERSCRIPT TWO}",
        ),
    ],
)
def test_normalising(text, expected):
    assert "".join(normalised(text.splitlines(keepends=True))) == expected


def test_no_words_are_joined_or_parted_where_a_long_line_is_cut(tmp_path):
    text = "abcdefg " * 24_576 + "end\n"
    assert cleaned(tmp_path, {"a": text}, normalise=True)[0] == {"a": text}


def test_normalising_leaves_one_blank_line(tmp_path):
    assert cleaned(tmp_path, {"a": "\n\nOne\n\n \n\t\nTwo\n\n\n"}, normalise=True)[0] == {"a": "One\n\nTwo\n\n"}


BOOK = (
    "Title\n*** START OF THE PROJECT GUTENBERG EBOOK X ***\nOnce.\n*** END OF THIS PROJECT GUTENBERG EBOOK X ***\nEnd\n"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("---\ntitle: Hens\ntags:\n  - a\n---\nText\n", "Text\n"),
        ("---\ntitle: Hens\n...\nText\n---\n", "Text\n---\n"),
        ('+++\ntitle = "Hens"\n+++\nText\n', "Text\n"),
        ("---\nA text between rules.\n---\nText\n", None),
        ("---\ntitle: Hens\nText without an end\n", None),
        ("Text\n---\ntitle: Hens\n---\n", None),
        (BOOK, "Once.\n"),
        (BOOK.partition("Once.\n")[2], None),
        ("", None),
    ],
)
def test_front_matter(text, expected):
    tally = Tally()
    kept = "".join(without_front_matter(lines(text), tally))
    assert kept == (text if expected is None else expected)
    assert sum(tally.characters.values()) == len(text) - len(kept)


def test_a_long_book_ends_where_its_licence_begins():
    begin, end = BOOK.split("Once.\n")
    story = "Once.\n" * 500
    assert "".join(without_front_matter(lines(begin + story + end), Tally())) == story


@pytest.mark.parametrize(
    ("text", "expected", "times"),
    [
        ("a\n```py\nx\n\n```\nb\n~~~\n```\n~~~\n", "a\nb\n", 2),
        ("````\n```\nx\n```\n````\nb\n", "b\n", 1),
        ("* a\n  ```{.python .input}\n  x\n  ```\nb\n", "* a\nb\n", 1),
        ("> ```\n> x\n> ```\nb\n", "b\n", 1),
        ("a ```b``` c\n```d``` e\n", "a ```b``` c\n```d``` e\n", 0),
        ("a\n```\nnever closed\n", "a\n```\nnever closed\n", 0),
        ("```\nx\n``` not an end\n```\nb\n", "b\n", 1),
    ],
)
def test_code_fences(text, expected, times):
    tally = Tally()
    assert "".join(without_fences(lines(text), tally)) == expected
    assert tally.times.get("code fences", 0) == times
    assert tally.characters.get("code fences", 0) == len(text) - len(expected)


def test_a_stray_fence_drops_nothing(monkeypatch):
    monkeypatch.setattr(cleaning_steps, "LONGEST_FENCE", 5)
    text = "```\n" + "line\n" * 11 + "```\nx\n```\nend\n"
    assert "".join(without_fences(lines(text), Tally())) == text.replace("```\nx\n```\n", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Hens\n:label:`sec_hens`\n\n", "# Hens\n\n"),
        (":label:`sec_hens`\n\n", ""),
        ("Hens (:numref:`sec_a`; :numref:`sec_b`)\nlay :cite:`Ada.2014,Bea.2015`.\n", "Hens\nlay.\n"),
        ("as in :numref:sec_hens. Then", "as in. Then"),
        (":begin_tab:`x`\nHens.\n:end_tab:\n", "Hens.\n"),
        ('See [the\nhen](http://a.b/c_(d)) and ![an *egg*](../e.svg "Egg").\n', "See the\nhen and an *egg*.\n"),
        ("One<!-- two\nthree --> four\n", "One four\n"),
        ("f(x)[1](y z) at 12:30:15 a::b std::sort() `x()` (note) key:value:more\n", None),
    ],
)
def test_markup(text, expected):
    tally = Tally()
    kept = "".join(without_markup([text], tally))
    assert kept == (text if expected is None else expected)
    assert sum(tally.characters.values()) == len(text) - len(kept)


def test_paragraphs_include_the_blank_lines_after_them():
    parts = ["\n", "a\nb\n \n\n", "c\n\n", "d"]
    assert list(paragraphs(lines("".join(parts)))) == parts


def test_a_text_without_blank_lines_is_cut_at_line_ends(monkeypatch):
    monkeypatch.setattr(cleaning_steps, "LONGEST_PARAGRAPH", 11)
    text = "four\nfive\nsix\na very long line\nx\n"
    assert list(paragraphs(lines(text))) == ["four\nfive\n", "six\n", "a very long line\n", "x\n"]


def test_boilerplate_appears_in_many_documents(tmp_path):
    footer, heading = "Printed by  the Hen Press\n", "## Summary\n"
    texts = {name: f"{heading}{name} is about hens and eggs\n{footer}{footer}" for name in "abc"}
    texts["d"] = f"{heading}Only two footers here: {footer}one footer of its own\n" * 5
    found, result = cleaned(tmp_path, texts, boilerplate=3)
    assert found == {name: text.replace(footer, "") if name != "d" else text for name, text in texts.items()}
    assert result.report().splitlines()[1:] == [f"dropped 6 boilerplate lines ({6 * len(footer)} characters)"]
    assert cleaned(tmp_path, texts, boilerplate=4)[0] == texts


LONG = "A paragraph that is long enough to be noticed when it comes again, which not every paragraph of a text is.\n\n"


def test_exact_duplicates(tmp_path):
    texts = {"a": f"Yes.\n\n{LONG}Yes.\n", "b": f"Yes.\n\n{LONG}Yes.\n", "c": f"{LONG.replace(' ', '  ')}No.\n\n{LONG}"}
    found, result = cleaned(tmp_path, texts, duplicates=True)
    assert found == {"a": texts["a"], "c": "No.\n\n"}
    assert result.tally.times == {"duplicate documents": 1, "duplicate paragraphs": 2}
    again = {name: "".join(parts) for name, parts in result}
    assert set(again) == {"a.txt", "c.txt"}, "each time anew"
    assert result.tally.times == {"duplicate documents": 1, "duplicate paragraphs": 2}


def words(seed, count):
    draw = random.Random(seed)
    return [f"w{draw.randrange(5000)}" for _ in range(count)]


def shingles(text):
    parts = text.split()
    return {tuple(parts[i : i + 5]) for i in range(len(parts) - 4)}


@pytest.mark.parametrize(("changed", "dropped"), [(2, {"near"}), (60, set())])
def test_near_duplicates_by_their_similarity(tmp_path, changed, dropped):
    original = words(1, 601)
    near = original.copy()
    for i in range(0, changed * 10, 10):
        near[i] = "changed"
    texts = {"base": " ".join(original), "near": " ".join(near), "other": " ".join(words(2, 601)), "tiny": "two words"}
    similarity = len(shingles(texts["base"]) & shingles(texts["near"])) / len(
        shingles(texts["base"]) | shingles(texts["near"])
    )
    assert (similarity > 0.9) == bool(dropped)
    assert not 0.5 < similarity < 0.9
    found, result = cleaned(tmp_path, texts, near_duplicates=0.7)
    assert set(texts) - set(found) == dropped
    assert result.tally.times == ({"near-duplicate documents": 1} if dropped else {})


def test_signatures_estimate_the_exact_similarity():
    for changed in (0, 2, 9, 30):
        one, other = words(3, 700), words(3, 700)
        other[: changed * 10 : 10] = ["changed"] * changed
        sets = [shingles(" ".join(side)) for side in (one, other)]
        exact = len(sets[0] & sets[1]) / len(sets[0] | sets[1])
        a, b = (_signature([_shingles(" ".join(side))]) for side in (one, other))
        assert (a == b).mean() == pytest.approx(exact, abs=0.13)  # three standard errors of 128 permutations


def test_the_report_says_what_was_dropped(tmp_path):
    texts = {"a": "---\nx: y\n---\nHens (:cite:`a`).\n\n```\n1\n```\n\n", "b": "Plain.\n"}
    _, result = cleaned(tmp_path, texts, front_matter=True, code_fences=True, markup=True)
    assert result.report().splitlines() == [
        "2 of 2 documents, 15 of 50 characters",
        "dropped 1 pieces of front matter (13 characters)",
        "dropped 1 pieces of markup (12 characters)",
        "dropped 1 code fences (10 characters)",
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"boilerplate": 1}, "boilerplate must be at least 2 documents, but is 1"),
        ({"near_duplicates": 0.0}, "near_duplicates must be above 0 and at most 1, but is 0.0"),
        ({"near_duplicates": 1.5}, "near_duplicates must be above 0 and at most 1, but is 1.5"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Cleaning(**settings)


def peak(path: Path, characters: int) -> int:
    """The most memory that cleaning a generated text takes, duplicates' hashes left out."""
    with path.open("w") as file:
        for i in range(characters // 50):
            file.write(f"Line {i:>7} of a text that goes on and on and on.\n" + "\n" * (i % 7 == 0))
    document = Document("a", path, characters, "")
    result = Cleaned(Collection(path, (document,), ()), Cleaning(duplicates=False, boilerplate=None))
    tracemalloc.start()
    for _, parts in result:
        for _ in parts:
            pass
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


def test_memory_does_not_grow_with_the_text(tmp_path):
    small, large = (peak(tmp_path / "a.txt", characters) for characters in (50_000, 500_000))
    assert large < 1.3 * small + 50_000
