"""Continuing texts: what the model is given, and what it is asked."""

import pytest
import torch

from seqlab.decoding import Greedy, Sample
from seqlab.inference import bundle
from seqlab.inference.streams import StreamFormat
from seqlab.models.fixed_vector import FixedVector
from seqlab.models.gpt import GPT
from seqlab.special_tokens import BOS, EOS
from seqlab.text.tokenizers import CharacterTokenizer

LETTERS = CharacterTokenizer("abcdefghi ")
SIZES = {"source_size": LETTERS.size, "target_size": LETTERS.size}
SMALL = {"width": 12, "heads": 3, "layers": 2, "max_positions": 7}


@pytest.mark.parametrize("boundaries", ["sentence", "document"])
def test_bos_stands_before_a_prompt_where_the_stream_has_it(boundaries):
    stream = StreamFormat(boundaries=boundaries, length=5)
    assert stream.prompt([7, 8]) == [BOS, 7, 8]
    assert stream.search(Greedy(max_length=9)) == Greedy(max_length=9)


def test_where_the_stream_has_none_it_stands_for_an_empty_prompt_and_eos_is_not_said():
    stream = StreamFormat(boundaries="none", length=5)
    assert stream.prompt([7, 8]) == [7, 8]
    assert stream.prompt([]) == [BOS]
    assert stream.search(Sample(max_length=9, top_k=3)) == Sample(max_length=9, min_length=9, top_k=3)


def predictor(model, boundaries="none"):
    torch.manual_seed(2)
    own = model(**SIZES, **SMALL) if model is GPT else model(**SIZES, width=12)
    with torch.no_grad():
        for parameter in own.parameters():
            parameter.uniform_(-0.7, 0.7)
    stream = StreamFormat(boundaries=boundaries, length=7)
    return bundle.Predictor(own, LETTERS, LETTERS, Sample(max_length=11, top_k=5), stream)


@pytest.mark.parametrize("model", [GPT, FixedVector])
def test_prompts_are_continued_each_as_by_itself(model):
    own = predictor(model)
    own.search = Greedy(max_length=11)
    texts = ["a", "bad cab", "ab", "e", "be", "bad cabbie had", "fade a bed"]
    together = own.predict_n_best(texts, batch_size=2)
    assert [len(found.text) for (found,) in together] == [11] * len(texts)
    for text, (found,) in zip(texts, together, strict=True):
        ((alone,),) = own.predict_n_best([text])
        assert (alone.text, pytest.approx(alone.score, abs=1e-4)) == found


def test_of_a_long_prompt_the_end_is_seen():
    own = predictor(GPT)
    assert own.predict_n_best(["ia bad cab"]) == own.predict_n_best(["bad cab"]) == own.predict_n_best(["ddd bad cab"])


def test_a_sentence_ends_where_the_stream_has_an_end():
    own = predictor(GPT, "sentence")
    with torch.no_grad():
        own.model.output.bias[EOS] = 40.0
    assert own.predict(["a bad"]) == [""]
    own.stream = StreamFormat(boundaries="none", length=7)
    assert len(own.predict(["a bad"])[0]) == 11


def test_a_bundle_knows_the_stream(tmp_path):
    own = predictor(GPT, "document")
    bundle.save(tmp_path / "bundle", own.model, {**SIZES, **SMALL}, (LETTERS, LETTERS), own.search, own.stream)
    loaded = bundle.load(tmp_path / "bundle")
    assert loaded.stream == own.stream
    assert loaded.predict_n_best(["bad ", "a"]) == own.predict_n_best(["bad ", "a"])
