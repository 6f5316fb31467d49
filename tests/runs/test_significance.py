"""The paired bootstrap, against a loop, sacrebleu's own and the exact test of McNemar."""

import math

import numpy as np
import pytest
import sacrebleu
from sacrebleu.significance import PairedTest

from seqlab.errors import InputError
from seqlab.runs.run_folder import SavedPrediction
from seqlab.runs.scores import bleu_of, bleu_statistics
from seqlab.runs.significance import METRICS, paired_bootstrap, significance

SENTENCES = 37


def spoilt(words, share, generator):
    """A sentence of which a share of the words is another one."""
    return " ".join("x" if generator.random() < share else word for word in words)


@pytest.fixture
def texts():
    """References, and the outputs of a good system and a bad one."""
    generator = np.random.default_rng(3)
    references = [[f"w{i}" for i in generator.integers(5, size=generator.integers(3, 13))] for _ in range(SENTENCES)]
    good, bad = ([spoilt(words, share, generator) for words in references] for share in (0.15, 0.3))
    return [" ".join(words) for words in references], good, bad


def statistics_of(outputs, references):
    said = [SavedPrediction("", text, reference, False) for text, reference in zip(outputs, references, strict=True)]
    return bleu_statistics(said)


def test_summed_statistics_give_the_bleu_of_the_corpus(texts):
    references, good, _ = texts
    metric = sacrebleu.BLEU(lowercase=True, tokenize="none", force=True)
    assert bleu_of(statistics_of(good, references).sum(0)) == pytest.approx(
        metric.corpus_score(good, [references]).score, abs=1e-9
    )
    assert bleu_of(np.zeros(10, dtype=int)) == 0.0


def test_drawing_examples_one_by_one_gives_the_same(texts):
    """The fast path sums the statistics of all drawn test sets at once."""
    references, good, bad = texts
    a, b = statistics_of(bad, references), statistics_of(good, references)
    found = paired_bootstrap([a], [b], bleu_of, samples=101, seed=7)
    generator = np.random.default_rng(7)
    drawn = generator.multinomial(SENTENCES, np.full(SENTENCES, 1 / SENTENCES), size=101)
    against, differences = 0, []
    for counts in drawn:
        rows = [row for row, times in enumerate(counts) for _ in range(times)]
        assert len(rows) == SENTENCES
        sums = []
        for statistics in (a, b):
            total = [0] * 10
            for row in rows:
                total = [x + int(y) for x, y in zip(total, statistics[row], strict=True)]
            sums.append(bleu_of(np.array(total)))
        differences.append(sums[1] - sums[0])
        against += sums[1] <= sums[0]
    assert found["difference"] == pytest.approx(bleu_of(b.sum(0)) - bleu_of(a.sum(0)))
    assert found["p"] == pytest.approx(2 * (against + 1) / 102)
    assert found["interval"] == pytest.approx(np.quantile(differences, [0.025, 0.975]).tolist())


def test_it_finds_what_sacrebleu_finds(texts):
    references, good, bad = texts
    metric = sacrebleu.BLEU(lowercase=True, tokenize="none", force=True)
    own = paired_bootstrap([statistics_of(bad, references)], [statistics_of(good, references)], bleu_of)
    systems = [("bad", bad), ("good", good)]
    _, scores = PairedTest(systems, {"BLEU": metric}, [references], test_type="bs", n_samples=1000)()
    before, after = scores["BLEU"]
    assert own["difference"] == pytest.approx(after.score - before.score)
    assert own["p"] < 0.05
    assert after.p_value < 0.05


def test_two_equal_systems_do_not_differ(texts):
    references, good, _ = texts
    statistics = statistics_of(good, references)
    found = paired_bootstrap([statistics], [statistics], bleu_of, samples=11)
    assert (found["difference"], found["p"]) == (0.0, 1.0)


def test_of_seeds_the_mean_counts():
    """Three runs of which one has all right, against three without it."""
    right, wrong = np.ones(23, dtype=int), np.zeros(23, dtype=int)
    a = [{"test_set": "t", "correct": wrong.tolist()} for _ in range(3)]
    b = [{"test_set": "t", "correct": values.tolist()} for values in (right, wrong, wrong)]
    found = significance(a, b, "exact match")
    assert found["difference"] == pytest.approx(1 / 3)
    assert found["p"] == pytest.approx(2 / 1001)
    assert significance(b, a, "exact match")["difference"] == pytest.approx(-1 / 3)


@pytest.mark.parametrize(("gained", "lost"), [(30, 10), (24, 16), (21, 19)])
def test_on_exact_match_it_is_near_the_exact_test(gained, lost):
    """McNemar (1947): of the examples that one run alone has right, each could as well be the other's."""
    rows = np.array([[0, 1]] * gained + [[1, 0]] * lost + [[1, 1]] * 100 + [[0, 0]] * 60)
    runs = [{"test_set": "t", "correct": column.tolist()} for column in rows.T]
    found = significance(runs[:1], runs[1:], "exact match")
    discordant = gained + lost
    exact = 2 * sum(math.comb(discordant, k) for k in range(lost + 1)) / 2**discordant
    assert found["p"] == pytest.approx(min(1.0, exact), rel=0.4)
    assert found["metric"] == "exact match"


def test_runs_over_other_examples_are_not_compared():
    runs = [{"folder": f"run{i}", "test_set": str(i), "correct": [1, 0]} for i in range(2)]
    with pytest.raises(InputError, match="run0, run1: not measured on the same examples"):
        significance(runs[:1], runs[1:], "exact match")


def test_what_a_run_has_not_measured_is_not_compared():
    runs = [{"test_set": "t", "correct": [1]}, {"test_set": "t", "correct": [0]}]
    assert significance(runs[:1], runs[1:], "token BLEU") is None
    assert set(METRICS) == {"token BLEU", "exact match"}
