import pytest

from seqlab.text.sentences import LONGEST, sentences


def found(text):
    return [sentence for _, sentence in sentences(text.splitlines(keepends=True))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dr. Lee came. She sat, e.g. here.", ["Dr. Lee came.", "She sat, e.g. here."]),
        ("It goes on\nover a  line\tend. And on.\n", ["It goes on over a line end.", "And on."]),
        ("No end\n\nA new one", ["No end", "A new one"]),
        ("# A heading\nText of it.\n## Another\n", ["# A heading", "Text of it.", "## Another"]),
        ("#hashtag is\nno heading", ["#hashtag is no heading"]),
        ("- an item\n  goes on\n- another\n3. a third\n", ["- an item goes on", "- another", "3. a third"]),
        ("1. Go. 2. Come.", ["1. Go.", "2. Come."]),
        ("Rows:\n| a | b |\n|---|---|\n| c. | d |\n", ["Rows:", "| a | b |", "|---|---|", "| c. | d |"]),
        ("Code:\n```python\nif x.\n    y. Z\n\n# no heading\n```\nEnd. Of it.",
         ["Code:", "```python", "if x.", "    y. Z", "# no heading", "```", "End.", "Of it."]),
        ("“Yes.” He went.", ["“Yes.”", "He went."]),
        (" \n\n\t\n", []),
        ("", []),
        ("…\n\n12 3\n", ["…", "12 3"]),
    ],
)  # fmt: skip
def test_sentences_end_where_they_should(text, expected):
    assert found(text) == expected


def test_positions_are_offsets_in_the_text():
    text = "A cat. Über it,\na dog.\n\n# Head\n- one. Two.\n```\n  x\n```\nLast"
    for place, sentence in sentences(text.splitlines(keepends=True)):
        assert " ".join(text[place:].split()).startswith(" ".join(sentence.split()))


def test_an_endless_paragraph_is_cut_at_a_line_end():
    line = "word " * 200 + "\n"
    streamed = list(sentences(line for _ in range(1000)))
    assert len(streamed) > 10
    assert all(LONGEST - 2 * len(line) < len(sentence) <= LONGEST for _, sentence in streamed[:-1])
    assert sum(len(sentence.split()) for _, sentence in streamed) == 200 * 1000
