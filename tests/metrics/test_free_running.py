import math
import random
from collections import Counter

import pytest
import sacrebleu
import torch

from seqlab.metrics.free_running import IdMetrics, TextMetrics, gathered
from seqlab.special_tokens import BOS, EOS, PAD, UNK
from seqlab.text.languages import bleu_tokenizer
from seqlab.text.tokenizers import CharacterTokenizer, WordTokenizer

WORDS = ["le", "chat", "est", "sur", "la", "table", "rouge", "et", "bleu", ",", ".", "il", "n'est", "pas", "là", "!"]


def padded(rows: list[list[int]]) -> torch.Tensor:
    width = max(map(len, rows))
    return torch.tensor([row + [PAD] * (width - len(row)) for row in rows], dtype=torch.long)


def id_metrics(outputs: list[list[int]], targets: list[list[int]], size: int = 29, filler: int | None = None):
    metrics = IdMetrics(size, filler)
    metrics.update(padded(outputs), padded([[BOS, *target, EOS] for target in targets]))
    return metrics.compute()


def edit_distance(one: list[int], other: list[int]) -> int:
    """The textbook's table (Wagner and Fischer 1974)."""
    table = [[i + j if i * j == 0 else 0 for j in range(len(other) + 1)] for i in range(len(one) + 1)]
    for i, a in enumerate(one, 1):
        for j, b in enumerate(other, 1):
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + (a != b))
    return table[-1][-1]


def random_ids(generator: random.Random, rows: int, longest: int, size: int = 7) -> list[list[int]]:
    return [[generator.randrange(4, size) for _ in range(generator.randint(1, longest))] for _ in range(rows)]


def test_ids_computed_by_hand():
    targets = [[4, 5, 6], [7, 8], [9]]
    outputs = [[4, 5, 6], [7, 9, 8, 8], [10]]
    # In place: 3 + 1 + 0 of 6. Whole: one of three. Edits: 0 + 2 + 1.
    assert id_metrics(outputs, targets) == pytest.approx(
        {"token_accuracy": 4 / 6, "exact_match": 1 / 3, "edit_distance": 3 / 6}
    )


@pytest.mark.parametrize(
    ("output", "accuracy", "edits"),
    [
        ([4, 5, 6, 7], 1, 0),
        ([4, 5, 6], 3 / 4, 1 / 4),
        ([4, 5, 6, 7, 8], 1, 1 / 4),
        ([5, 6, 7], 0, 1 / 4),
        ([9, 4, 5, 6, 7, 8], 0, 2 / 4),
        ([], 0, 1),
        ([9, 9, 9, 9], 0, 1),
        ([9] * 7, 0, 7 / 4),
    ],
)
def test_an_output_may_be_shorter_or_longer_than_its_target(output, accuracy, edits):
    assert id_metrics([output], [[4, 5, 6, 7]]) == pytest.approx(
        {"token_accuracy": accuracy, "exact_match": float(output == [4, 5, 6, 7]), "edit_distance": edits}
    )


def test_filler_counts_only_where_it_is_said():
    # Fillers are 10. In place without them: 2 + 1 of 5; with them: 2 + 2 and 1 + 0 of 8.
    metrics = id_metrics([[4, 5, 10, 10], [6, 9, 9, 9]], [[4, 5, 10, 10], [6, 7, 8, 10]], filler=10)
    assert metrics == pytest.approx(
        {
            "token_accuracy": 3 / 5,
            "token_accuracy_with_filler": 5 / 8,
            "exact_match": 1 / 2,
            "edit_distance": 3 / 8,
        }
    )


def test_a_filler_that_is_missing_or_too_much_is_no_exact_match():
    assert id_metrics([[4, 5, 10], [4, 10]], [[4, 5, 10, 10], [4, 5]], filler=10)["exact_match"] == 0


def test_without_filler_no_metric_speaks_of_it():
    assert set(id_metrics([[4]], [[4]])) == {"token_accuracy", "exact_match", "edit_distance"}


def test_how_far_a_batch_is_padded_is_no_matter():
    tight, wide = IdMetrics(29), IdMetrics(29)
    output, target = padded([[4, 5], [6]]), padded([[BOS, 4, 5, EOS], [BOS, 7, EOS]])
    tight.update(output, target)
    wide.update(torch.nn.functional.pad(output, (0, 5)), torch.nn.functional.pad(target, (0, 3)))
    assert tight.compute() == wide.compute()


def test_two_batches_of_different_width_count_as_their_concatenation():
    generator = random.Random(3)
    targets, outputs = random_ids(generator, 11, 5), random_ids(generator, 11, 7)
    outputs[2], outputs[7] = targets[2], targets[7]
    metrics = IdMetrics(29)
    for rows in (slice(0, 4), slice(4, 11)):
        metrics.update(padded(outputs[rows]), padded([[BOS, *target, EOS] for target in targets[rows]]))
    assert metrics.compute() == pytest.approx(id_metrics(outputs, targets))


@pytest.mark.parametrize("seed", range(5))
def test_edit_distance_equals_the_textbooks(seed):
    generator = random.Random(seed)
    targets, outputs = random_ids(generator, 13, 9), random_ids(generator, 13, 9)
    outputs[3] = targets[3]
    edits = sum(edit_distance(output, target) for output, target in zip(outputs, targets, strict=True))
    assert id_metrics(outputs, targets)["edit_distance"] == pytest.approx(edits / sum(map(len, targets)))


@pytest.mark.parametrize("size", [300, 70_000, 150_000])
def test_ids_of_large_vocabularies_are_told_apart(size):
    low, high = [4, 5], [size - 2, size - 1]
    assert id_metrics([high, low], [high, high], size)["edit_distance"] == 0.5


def test_an_unknown_symbol_is_right_nowhere():
    # The second target is [UNK, 6]: its output repeats it, but which symbol is meant is known of neither.
    outputs, targets = [[4, 5], [UNK, 6], [7, UNK], [UNK]], [[4, 5], [UNK, 6], [7, 8], [9, UNK]]
    assert id_metrics(outputs, targets) == pytest.approx(
        {"token_accuracy": 4 / 8, "exact_match": 1 / 4, "edit_distance": 4 / 8}
    )


def test_an_unknown_symbol_beyond_the_target_is_an_edit():
    metrics = id_metrics([[4, 5, UNK]], [[4, 5]])
    assert metrics == pytest.approx({"token_accuracy": 1, "exact_match": 0, "edit_distance": 1 / 2})


def test_an_unknown_symbol_is_no_filler():
    assert id_metrics([[4, UNK]], [[4, 10]], filler=10)["token_accuracy_with_filler"] == 1 / 2


def test_all_right_has_no_edits():
    metrics = id_metrics([[4, 5], [6]], [[4, 5], [6]])
    assert metrics == {"token_accuracy": 1, "exact_match": 1, "edit_distance": 0}


def by_sacrebleu(outputs: list[str], references: list[list[str]]) -> tuple[dict[str, float], dict[str, str]]:
    streams = [
        [own[i] if i < len(own) else None for own in references] for i in range(max(len(own) for own in references))
    ]
    metrics = {
        "bleu": sacrebleu.BLEU(tokenize="13a"),
        "chrf": sacrebleu.CHRF(),
        "token_bleu": sacrebleu.BLEU(lowercase=True, tokenize="none"),
    }
    scores = {name: metric.corpus_score(outputs, streams).score for name, metric in metrics.items()}
    return scores, {name: str(metric.get_signature()) for name, metric in metrics.items()}


def text_metrics(outputs: list[str], references: list[list[str]]) -> TextMetrics:
    metrics = TextMetrics()
    metrics.update(outputs, references, [output in own for output, own in zip(outputs, references, strict=True)])
    return metrics


def scores(outputs: list[str], references: list[list[str]]) -> dict[str, float]:
    metrics = text_metrics(outputs, references).compute()
    return {name: value for name, value in metrics.items() if name != "exact_match"}


def random_corpus(seed: int, shortest: int, references: tuple[int, int]) -> tuple[list[str], list[list[str]]]:
    generator = random.Random(seed)

    def sentence() -> str:
        return " ".join(generator.choice(WORDS) for _ in range(generator.randint(shortest, 11)))

    sources = [[sentence() for _ in range(generator.randint(*references))] for _ in range(17)]
    return [generator.choice(own) if generator.random() < 0.5 else sentence() for own in sources], sources


@pytest.mark.parametrize("name", ["bleu", "chrf"])
@pytest.mark.parametrize("references", [(1, 1), (3, 3), (1, 5)], ids=str)
@pytest.mark.parametrize("shortest", [1, 6])
@pytest.mark.parametrize("seed", range(3))
def test_text_scores_equal_sacrebleus(name, references, shortest, seed):
    outputs, own = random_corpus(seed, shortest, references)
    expected, _ = by_sacrebleu(outputs, own)
    assert 1 < expected[name] < 99
    assert scores(outputs, own)[name] == pytest.approx(expected[name], abs=1e-3)


@pytest.mark.parametrize("name", ["bleu", "chrf"])
@pytest.mark.parametrize(
    ("outputs", "references"),
    [
        pytest.param(["", "le chat est là"], [["il est là"], ["le chat est là"]], id="an empty output"),
        pytest.param(["xyz", "le chat est là"], [["bonjour"], ["le chat est là"]], id="an output with nothing right"),
        pytest.param(["le  chat est là"], [["le chat\u202fest là"]], id="other spaces"),
        pytest.param(
            ["le chat est là , rouge"], [["le chat est là , rouge et", "le chat est là ,"]], id="two nearest lengths"
        ),
        pytest.param(["\ufffd chat est là !"], [["le chat est là !"]], id="an unknown word"),
        pytest.param(["l'eau, 3,5 m² : ça va ?"], [["l'eau, 3,5 m2 : ça va ?"]], id="marks"),
    ],
)
def test_odd_texts_score_as_sacrebleu_scores_them(name, outputs, references):
    expected, _ = by_sacrebleu(outputs, references)
    assert scores(outputs, references)[name] == pytest.approx(expected[name], abs=1e-3)


def textbook_bleu(outputs: list[list[str]], references: list[list[str]]) -> float:
    """Papineni et al. (2002), section 2: clipped precisions of 1- to 4-grams, their geometric mean, the brevity
    penalty; one reference each, nothing smoothed."""
    logs = 0.0
    for n in range(1, 5):
        right = total = 0
        for output, reference in zip(outputs, references, strict=True):
            grams, known = (Counter(tuple(s[i : i + n]) for i in range(len(s) - n + 1)) for s in (output, reference))
            right += sum((grams & known).values())
            total += sum(grams.values())
        logs += math.log(right / total) / 4
    said, told = (sum(map(len, side)) for side in (outputs, references))
    return 100 * math.exp(logs) * min(1.0, math.exp(1 - told / said))


def test_token_bleu_equals_the_textbooks_over_lower_cased_words_and_marks():
    outputs = ["a man is walking with his dogs .", "two women sit on the Bench , talking", "the child's toy is red ."]
    references = ["A man walks with his dogs.", "Two women sit on the bench, talking.", "The child's toy is red!"]
    words = [
        [
            ["a", "man", "walks", "with", "his", "dogs", "."],
            ["two", "women", "sit", "on", "the", "bench", ",", "talking", "."],
            ["the", "child's", "toy", "is", "red", "!"],
        ],
        [
            ["a", "man", "is", "walking", "with", "his", "dogs", "."],
            ["two", "women", "sit", "on", "the", "bench", ",", "talking"],
            ["the", "child's", "toy", "is", "red", "."],
        ],
    ]
    metrics = text_metrics(outputs, [[one] for one in references]).compute()
    assert metrics["token_bleu"] == pytest.approx(textbook_bleu(words[1], words[0]), abs=1e-6)
    assert metrics["bleu"] < metrics["token_bleu"]  # where case counts


def test_case_does_not_count_where_outputs_have_none():
    outputs, references = ["the cat sat on the mat ."], [["The cat sat on THE mat ."]]
    lower, cased = TextMetrics(lower=True), TextMetrics()
    for metrics in (lower, cased):
        metrics.update(outputs, references, [True])
    assert lower.compute() == pytest.approx({"bleu": 100, "chrf": 100, "token_bleu": 100, "exact_match": 1})
    assert cased.compute()["bleu"] < 60
    assert "case:lc" in lower.signatures()["bleu"]
    assert "case:mixed" in cased.signatures()["bleu"]


def test_two_batches_of_text_count_as_one():
    outputs, references = random_corpus(5, 3, (1, 4))
    metrics = TextMetrics()
    for rows in (slice(0, 5), slice(5, 17)):
        metrics.update(outputs[rows], references[rows], [False] * len(outputs[rows]))
    assert metrics.compute() == pytest.approx({**scores(outputs, references), "exact_match": 0})


def test_exact_match_is_the_share_of_outputs_that_are_said_to_match():
    metrics = TextMetrics()
    metrics.update(["a", "b"], [["a"], ["c"]], [True, False])
    metrics.update(["d"], [["e"]], [False])
    assert metrics.compute()["exact_match"] == pytest.approx(1 / 3)


def test_a_perfect_output_scores_a_hundred():
    sentence = "le chat est sur la table ."
    metrics = text_metrics([sentence], [["il est là", sentence]]).compute()
    assert metrics == pytest.approx({"bleu": 100, "chrf": 100, "token_bleu": 100, "exact_match": 1})


@pytest.mark.parametrize("outputs", [[""], ["", ""], [" "]])
def test_empty_outputs_score_nothing(outputs):
    references = [["le chat", "un chat"]] * len(outputs)
    assert text_metrics(outputs, references).compute() == {
        "bleu": 0,
        "chrf": 0,
        "token_bleu": 0,
        "exact_match": 0,
    }


@pytest.mark.parametrize("counts", [[1, 1, 1], [3, 3, 3], [1, 3, 2]])
def test_the_signatures_are_sacrebleus_own(counts):
    references = [[f"le chat {i} est {j} là" for j in range(count)] for i, count in enumerate(counts)]
    outputs = [own[0] for own in references]
    _, expected = by_sacrebleu(outputs, references)
    metrics = text_metrics(outputs, references)
    metrics.compute()
    assert metrics.signatures() == expected


PERFECT = [
    ("zh", ["今天天气很好。", "你好。", "我们去学校，他不去。"]),
    ("char", ["これは本です。", "東京に行きます。"]),
    ("char", ["ฉันสบายดีมาก", "ไป"]),
    ("13a", ["هل أنت بخير؟", "نعم، شكرا."]),
    ("char", ["안녕하세요.", "잘 지내요?"]),
    ("13a", ["Qu'est-ce que c'est\u202f?", "Va-t'en\u202f!"]),
    ("13a", ["Va\u202f!", "Pars."]),
]


@pytest.mark.parametrize(("name", "texts"), PERFECT)
@pytest.mark.parametrize("kind", [CharacterTokenizer, WordTokenizer])
def test_a_perfect_output_scores_100_in_every_language(kind, name, texts):
    tokenizer = kind.fit(texts)
    outputs = [tokenizer.decode(tokenizer.encode(text)) for text in texts]
    assert bleu_tokenizer(None, texts).name == name
    metrics = TextMetrics(tokenizer=name)
    metrics.update(outputs, [[text] for text in texts], [True] * len(texts))
    assert metrics.compute() == pytest.approx({"bleu": 100, "chrf": 100, "token_bleu": 100, "exact_match": 1})
    assert f"tok:{name}" in metrics.signatures()["bleu"]


def test_right_chinese_with_one_wrong_word_is_not_0_and_what_sacrebleu_says_itself():
    outputs, references = ["我们明天去学校，他不去。", "你好。"], ["我们今天去学校，他不去。", "你好。"]
    metrics = TextMetrics(tokenizer="zh")
    metrics.update(outputs, [[one] for one in references], [False, True])
    score = metrics.compute()["bleu"]
    assert 60 < score < 90
    assert score == sacrebleu.corpus_bleu(outputs, [references], tokenize="zh").score
    assert sacrebleu.corpus_bleu(outputs, [references]).score == 0


def test_short_references_count_shorter_ngrams_and_long_ones_do_not():
    metrics = TextMetrics()
    metrics.update(["Go on!", "Run."], [["Go on!"], ["Run."]], [True, True])
    assert metrics.compute()["bleu"] == pytest.approx(100)
    assert "eff:yes" in metrics.signatures()["bleu"]
    metrics = TextMetrics()
    metrics.update(["Go on!"], [["Go on with it!"]], [False])
    assert metrics.compute()["bleu"] == sacrebleu.corpus_bleu(["Go on!"], [["Go on with it!"]]).score
    assert "eff:no" in metrics.signatures()["bleu"]


def test_rows_of_all_processes_come_one_process_after_another(monkeypatch):
    rows = [("a", 1), ("b", 2)]
    assert gathered(rows) == rows  # one process alone

    def gather(parts, own):
        assert parts == [None] * 3
        parts[:] = [[("z", 0)], own, []]

    for name, answer in (
        ("is_initialized", lambda: True),
        ("get_world_size", lambda: 3),
        ("all_gather_object", gather),
    ):
        monkeypatch.setattr(torch.distributed, name, answer)
    assert gathered(rows) == [("z", 0), *rows]
