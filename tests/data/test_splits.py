import re
from pathlib import Path

import numpy as np
import pytest

from seqlab.data.splits import Parts, at_the_end, by_block, by_document
from seqlab.errors import InputError
from seqlab.text.documents import Document

TEXTS = ["ab cde f ghij", "k lmno", "pq", "rstu vw x yz a b"]
CHARACTERS = sum(map(len, TEXTS))


def documents(texts):
    """Documents with their texts for names."""
    return [Document(text, Path(), len(text), "") for text in texts]


def words(document):
    return [(match.start(), match.group()) for match in re.finditer(r"\S+\s*", document.name)]


def marked(texts, edges, held_out):
    """Which characters are in a part, one by one."""
    text = "".join(texts)
    return {i for i in range(len(text)) if (sum(edge <= i for edge in edges) % 2 == 1) == held_out}


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize(
    "edges", [[], [0, 99], [3, 9], [0, 4, 4, 8], [13, 19], [1, 2, 5, 6, 20, 37], [19, 21], [12, 13]]
)
def test_runs_are_the_words_that_begin_in_the_part(edges, held_out):
    inside = marked(TEXTS, edges, held_out)
    expected, start = [], 0
    for text in TEXTS:
        run = []
        for place, word in words(*documents([text])):
            if start + place in inside:
                run.append(word)
            else:
                expected.append(run)
                run = []
        expected.append(run)
        start += len(text)
    parts = Parts(documents(TEXTS), edges, words)
    found = [list(run) for run in parts.runs(held_out, range(len(TEXTS)))]
    assert found == [run for run in expected if run]


@pytest.mark.parametrize("edges", [[3, 9], [0, 4, 4, 8], [1, 2, 5, 6, 20, 37], [37, 99]])
def test_exact_parts_are_cut_at_their_edges(edges):
    parts = Parts(documents(TEXTS), edges, words, exact=True)
    for held_out in (False, True):
        found = "".join("".join(run) for run in parts.runs(held_out, range(len(TEXTS))))
        assert found == "".join("".join(TEXTS)[i] for i in sorted(marked(TEXTS, edges, held_out)))


def test_documents_come_in_the_requested_order():
    runs = Parts(documents(TEXTS), [], words).runs(False, [2, 0])
    assert ["".join(run) for run in runs] == ["pq", "ab cde f ghij"]


def test_a_document_entirely_in_the_other_part_is_not_read():
    def units(document):
        assert document.name != TEXTS[1]
        return words(document)

    assert len(list(Parts(documents(TEXTS), [13, 19], units).runs(False, range(4)))) == 3


@pytest.mark.parametrize(("share", "count"), [(0.1, 10), (0.001, 1), (0.5, 52), (0.99, 103)])
def test_blocks_are_held_out_in_their_share_and_at_random(share, count):
    files = documents(["x" * 331, "y" * 700])  # 104 blocks of ten, the last of 1
    edges = by_block(files, share, 10, seed=3)
    starts = edges[::2]
    assert len(starts) == count
    assert edges[1::2] == [start + 10 for start in starts]
    assert starts == sorted(set(starts))
    assert all(start % 10 == 0 and start < 1031 for start in starts)
    assert edges == by_block(files, share, 10, seed=3)
    assert count == 103 or edges != by_block(files, share, 10, seed=4)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.97])
@pytest.mark.parametrize("seed", range(5))
def test_documents_are_held_out_whole_and_as_near_to_the_share_as_their_order_allows(share, seed):
    lengths = [30, 5, 80, 41, 7, 7, 50, 23]
    edges = by_document(documents(["x" * length for length in lengths]), share, seed)
    ends = np.cumsum(lengths).tolist()
    chosen = [ends.index(stop) for stop in edges[1::2]]
    assert edges[::2] == [ends[i] - lengths[i] for i in chosen]
    assert 1 <= len(chosen) < len(lengths)
    assert abs(sum(lengths[i] for i in chosen) - share * sum(lengths)) <= max(lengths)


def test_the_end_is_the_last_part():
    assert at_the_end(documents(["x" * 1003854, "y" * 111540]), 0.1) == [1003854, 1115394]


def test_text_that_cannot_be_split_is_refused():
    with pytest.raises(InputError, match=r"data\.block must be below the 37 characters of the text, but is 40"):
        by_block(documents(TEXTS), 0.1, 40, 0)
    with pytest.raises(InputError, match=r"data\.split=document needs at least two documents, but there is one"):
        by_document(documents(["one"]), 0.1, 0)
