import random

import pytest
import sacrebleu
from rapidfuzz import process

from seqlab.metrics import baselines
from seqlab.metrics.baselines import copy_nearest, nearest
from seqlab.text.pairs import Pair

TRAINING = [
    Pair("I am here.", "Je suis ici."),
    Pair("You are here.", "Tu es ici."),
    Pair("The cat sleeps now.", "Le chat dort maintenant."),
    Pair("I am here.", "Je suis là."),
]


def edit_distance(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        above, row = row, [i]
        for j, b in enumerate(other, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (a != b)))
    return row[-1]


def by_brute_force(query: str, known: list[str]) -> int:
    distances = [edit_distance(query, text) / max(len(query), len(text), 1) for text in known]
    return distances.index(min(distances))


def texts(generator: random.Random, count: int) -> list[str]:
    return ["".join(generator.choice("abc é") for _ in range(generator.randint(0, 9))) for _ in range(count)]


@pytest.mark.parametrize(("distances", "rows"), [(5, 1), (7 * 31, 7), (2**25, 53)])
def test_the_nearest_text_is_that_of_brute_force(monkeypatch, distances, rows):
    """However few distances may be held at a time."""
    generator, held, cdist = random.Random(7), [], process.cdist
    queries, known = texts(generator, 53), texts(generator, 31)

    def noting(*arguments, **settings):
        held.append((found := cdist(*arguments, **settings)).shape)
        return found

    monkeypatch.setattr(process, "cdist", noting)
    monkeypatch.setattr(baselines, "DISTANCES", distances)
    assert nearest(queries, known) == [by_brute_force(query, known) for query in queries]
    assert max(held) == (rows, 31)


def test_of_equally_near_texts_the_first_is_taken():
    assert nearest(["ab", "zz"], ["ax", "ay", "ab", "ab"]) == [2, 0]


def test_a_change_weighs_less_in_a_longer_text():
    assert nearest(["abcdefgh"], ["a", "abcdefgh" * 2, "abcdef"]) == [2]


def test_no_queries_have_no_nearest():
    assert nearest([], ["a"]) == []


def copied(sources: list[str]) -> list[str]:
    return [TRAINING[i].target for i in nearest(sources, [pair.source for pair in TRAINING])]


def test_the_translation_of_the_nearest_source_is_the_answer():
    sources = ["I am here!", "The cats sleep now.", "You were here."]
    references = [["Je suis ici !", "Je suis ici."], ["Les chats dorment maintenant."], ["Tu étais ici."]]
    answers = ["Je suis ici.", "Le chat dort maintenant.", "Tu es ici."]
    streams = [[own[i] if i < len(own) else None for own in references] for i in range(2)]
    bleu = sacrebleu.BLEU().corpus_score(answers, streams).score
    chrf = sacrebleu.CHRF().corpus_score(answers, streams).score
    assert copied(sources) == answers
    metrics = copy_nearest(answers, references, [True, False, True])
    expected = {"copy_nearest/bleu": bleu, "copy_nearest/chrf": chrf, "copy_nearest/exact_match": 2 / 3}
    assert {name: metrics[name] for name in expected} == pytest.approx(expected, abs=1e-3)


def test_a_training_source_is_answered_with_its_first_translation():
    assert copied([pair.source for pair in TRAINING]) == [pair.target for pair in TRAINING[:3]] + [TRAINING[0].target]


def test_no_sources_have_no_metrics():
    assert copy_nearest([], [], []) == {}
