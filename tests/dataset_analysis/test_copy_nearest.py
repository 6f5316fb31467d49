"""What stands nearest in training is looked for once, whatever the run."""

from functools import partial

import pytest
from rapidfuzz.distance import Levenshtein

from seqlab.data.anki import Anki
from seqlab.dataset_analysis import copy_nearest as module
from seqlab.dataset_analysis.copy_nearest import copy_nearest_of
from seqlab.metrics.baselines import copy_nearest
from seqlab.text.pairs import Pair
from seqlab.text.tokenizers import CharacterTokenizer, WordTokenizer


@pytest.fixture
def load(tmp_path):
    path = tmp_path / "deck.txt"
    lines = (f"Say {i} twice{'!' * (i % 3)}\tDis {i * (j + 1)} fois.\n" for i in range(41) for j in range(1 + i % 2))
    path.write_text("".join(lines), encoding="utf-8")

    def load(fit=CharacterTokenizer.fit, **settings):
        data = Anki(fit, path, cache=tmp_path / "cache", **settings)
        data.prepare_data()
        data.setup("fit")
        return data

    return load


def by_a_double_loop(data, split):
    """Each distinct source beside every source of training."""
    answers, references = {}, {}
    for row in range(len(data.examples[split])):
        source = data.source_text(split, row)
        if source not in answers:
            distances = [Levenshtein.normalized_distance(source, pair.source) for pair in data.training_pairs()]
            answers[source] = data.training_pairs()[distances.index(min(distances))].target
            references[source] = data.references(split, row)
    matches = [answer in accepted for answer, accepted in zip(answers.values(), references.values(), strict=True)]
    return copy_nearest(list(answers.values()), list(references.values()), matches)


@pytest.mark.parametrize("split", ["val", "test"])
def test_it_is_looked_for_once_and_is_that_of_a_double_loop(load, monkeypatch, split):
    expected = by_a_double_loop(load(), split)
    assert copy_nearest_of(load(), split) == expected
    assert 0 < expected["copy_nearest/chrf"] < 100
    monkeypatch.setattr(module, "nearest", lambda *_: pytest.fail("looked for again"))
    assert copy_nearest_of(load(order_seed=7, batch_size=3), split) == expected  # as of another run
    for other in ({"seed": 1}, {"reverse": True}):
        with pytest.raises(pytest.fail.Exception, match="looked for again"):
            copy_nearest_of(load(**other), split)


def test_a_copy_matches_by_what_the_tokenizer_keeps_as_a_models_output_does(load, monkeypatch):
    data = load(partial(WordTokenizer.fit, lower=True))
    monkeypatch.setattr(data, "references", lambda split, row: [f"DIS 0  FOIS{'.' * (row % 2)}"])
    monkeypatch.setattr(data, "training_pairs", lambda most=None: [Pair("Say", "Dis 0 fois.")])
    odd = [row % 2 for row in data.rows_to_generate("val").nonzero()[0].tolist()]
    assert copy_nearest_of(data, "val")["copy_nearest/exact_match"] == sum(odd) / len(odd) > 0
