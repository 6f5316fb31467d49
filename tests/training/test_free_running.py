"""Free-running metrics of a model that answers by a table: what is counted, and for whom."""

import pytest
import torch
from lightning.pytorch import Trainer

from seqlab.data.text_pairs import TextPairs
from seqlab.decoding import Greedy, Hypotheses
from seqlab.models.fixed_vector import FixedVector
from seqlab.symbols import PAD
from seqlab.text.pairs import Pair
from seqlab.text.tokenizers import CharacterTokenizer
from seqlab.training.free_running import FreeRunning

PAIRS = [Pair("a", "xy"), Pair("a", "yx"), Pair("b", "y"), Pair("cc", "xx")]
ANSWERS = {"a": "yx", "b": "x", "cc": "xx"}


class Few(TextPairs):
    def pairs(self):
        return {"train": PAIRS, "val": PAIRS}


class Table(FixedVector):
    """Answers by the table, whatever its weights."""

    def generate(self, source, source_lengths, search):
        data = self.trainer.datamodule
        said = [data.target_tokenizer.encode(ANSWERS[data.source_tokenizer.decode(row)]) for row in source.tolist()]
        width = max(map(len, said))
        tokens = torch.tensor([ids + [PAD] * (width - len(ids)) for ids in said])
        worse = torch.full_like(tokens, PAD)  # only the best output counts
        lengths = torch.tensor([[len(ids), 0] for ids in said])
        return Hypotheses(torch.stack([tokens, worse], 1), lengths, torch.tensor([[-1.0, -2.0]] * len(said)))


@pytest.fixture
def measured(tmp_path):
    """The callback after one validation, and what was logged."""
    data = Few(CharacterTokenizer.fit, cache=tmp_path, eval_batch_size=3)
    data.setup("validate")
    callback = FreeRunning(Greedy(max_length=3))
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    trainer = Trainer(callbacks=[callback], enable_model_summary=False, **quiet)
    (logged,) = trainer.validate(Table(data.source_size, data.target_size, width=5), datamodule=data, verbose=False)
    return callback, logged


def test_a_source_is_generated_from_once(measured):
    assert sorted(one.source for one in measured[0].predictions["val"]) == ["a", "b", "cc"]


def test_any_known_target_is_a_match(measured):
    callback, logged = measured
    assert {one.source: one.match for one in callback.predictions["val"]} == {"a": True, "b": False, "cc": True}
    assert logged["val/free_running/exact_match"] == pytest.approx(2 / 3)


def test_token_accuracy_is_against_the_examples_own_target(measured):
    assert measured[1]["val/free_running/token_accuracy"] == pytest.approx(2 / 5)


def test_texts_get_bleu_and_chrf(measured):
    assert {"val/free_running/bleu", "val/free_running/chrf"} <= measured[1].keys()
