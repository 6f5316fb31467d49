"""Decks as Anki itself exports them."""

import pytest

from seqlab.errors import InputError
from seqlab.text.pairs import Pair, read_pairs

NOTES = (
    "#separator:tab\n#html:true\n#guid column:1\n#notetype column:2\n#deck column:3\n#tags column:6\n"
    "x1\tBasic\tFrench\tGo.\tVa&nbsp;!<br>\t\n"
    'x2\tBasic\tFrench\t"He said ""hi""."\t"Il a <b>dit</b>\n«&nbsp;salut&nbsp;» [sound:a.mp3]"\tverb\n'
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (NOTES, [Pair("Go.", "Va !"), Pair('He said "hi".', "Il a dit « salut »")]),
        ('#separator:Semicolon\n#html:false\n"a;b";<i>;t\n', [Pair("a;b", "<i>")]),
        ("#columns:Front\tBack\na\tb\n\n", [Pair("a", "b")]),
        ("#1 is best\tle meilleur\n", [Pair("#1 is best", "le meilleur")]),
        ('"No," he said.\t"Non", dit-il.\n', [Pair('"No," he said.', '"Non", dit-il.')]),
    ],
)
def test_an_anki_export_is_read_as_notes_and_a_plain_deck_as_it_is(tmp_path, text, expected):
    (tmp_path / "deck.txt").write_text(text, encoding="utf-8")
    assert read_pairs(tmp_path / "deck.txt") == expected


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("#separator:tab\na\tb\nc\n", "txt:3: a single field"),
        ("#separator:tab\na\tb\n\tc\n", "txt:3: the source is empty"),
        ("#separator:tab\na\t<br>\n#html:true\n", "txt:3: a single field"),
        ("#separator:tab\n#html:true\na\t<br>\n", "txt:3: the target is empty"),
        ('#separator:tab\na\tb\n"c\td\n', r"txt:3: not as Anki exports notes \(unexpected end of data\)"),
        ("#separator:hash mark\na\tb\n", "#separator must be one of tab, comma"),
    ],
)
def test_an_error_in_an_export_names_the_line(tmp_path, text, named):
    (tmp_path / "deck.txt").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=named):
        read_pairs(tmp_path / "deck.txt")
