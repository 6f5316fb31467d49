"""The same text gives the same ids wherever it enters: datasets, commands, Python, the page."""

import json

import pytest

from seqlab.data.anki import Anki
from seqlab.data.documents import Documents
from seqlab.data.parallel import Parallel
from seqlab.decoding import Greedy
from seqlab.inference import bundle, generation, prediction
from seqlab.inference.attention_maps import AttentionMaps
from seqlab.inference.generation_outputs import stream_format
from seqlab.inference.predictor import Output, Predictor
from seqlab.models.fixed_vector import FixedVector
from seqlab.runs import samples
from seqlab.special_tokens import BOS
from seqlab.text.documents import Cleaning
from seqlab.text.tokenizers import CharacterTokenizer, from_json, to_json

TEXT = "ne\u0301  \ufb01n\u00a0\ufeffA\u030a\u3000b"
OTHER = "filler. " * 9
# What becomes of the text on the way, by hand.
PAIR, CLEANED, SENTENCE = "né  \ufb01n\u00a0Å\u3000b", "né  fin Å b", "né fin Å b"


def anki(folder):
    (folder / "deck.txt").write_text("".join(f"{text}\t{text}\n" for text in [TEXT, *"abcdef"]), encoding="utf-8")
    return Anki(CharacterTokenizer.fit, folder / "deck.txt", val_share=0.0, test_share=0.0, cache=folder / "cache")


def parallel(folder):
    for language in "de", "en":
        (folder / f"train.{language}").write_text(f"{TEXT}\na\n", encoding="utf-8")
    return Parallel(CharacterTokenizer.fit, folder, val=None, test=None, cache=folder / "cache")


def notes(boundaries, cleaning):
    def make(folder):
        (folder / "notes.txt").write_text(f"{TEXT}\n\n{OTHER}", encoding="utf-8")
        settings = {"split": "tail", "length": 4, "boundaries": boundaries, "cleaning": cleaning}
        return Documents(CharacterTokenizer.fit, folder / "notes.txt", **settings, cache=folder / "cache")

    return make


def ids_in(data):
    """The ids that the dataset has made of the text, which stands first in it."""
    if data.has_bos_eos:
        return data.examples["train"].source_ids(0).tolist()
    stream = data._streams["train"]
    ids = stream[0 : len(stream)].tolist()
    ends = data.target_tokenizer.encode("b" if data.boundaries == "sentence" else "b\n")
    return ids[: ids.index(ends[0]) + 1]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (anki, PAIR),
        (parallel, PAIR),
        (notes("none", None), TEXT),
        (notes("document", Cleaning()), CLEANED),
        (notes("sentence", Cleaning()), SENTENCE),
    ],
)
def test_a_text_is_the_same_wherever_it_enters(make, expected, command, tmp_path, monkeypatch):
    data = make(tmp_path)
    data.prepare_data()
    data.setup("fit")
    # As in a bundle: through JSON.
    source, target = (
        from_json(json.loads(json.dumps(to_json(one)))) for one in (data.source_tokenizer, data.target_tokenizer)
    )
    model = FixedVector(source_size=source.size, target_size=target.size, width=3)
    predictor = Predictor(model, source, target, Greedy(max_length=2), stream_format(data))
    for module in (prediction, generation, bundle):
        monkeypatch.setattr(module, "load", lambda path, trust=(): predictor)
    entered = []
    answer = Output("", 0.0)
    monkeypatch.setattr(predictor, "generate", lambda inputs, *_: entered.extend(inputs) or [[answer]] * len(inputs))
    monkeypatch.setattr(
        generation, "generated_tokens", lambda predictor, given, *_, **__: entered.append(given) or iter(())
    )
    monkeypatch.setattr(
        "seqlab.inference.predictor.attention_maps",
        lambda model, tokenizers, search, sources: entered.extend(sources) or [AttentionMaps([], [], {})],
    )
    (tmp_path / "x").mkdir()
    (tmp_path / "x/bundle.json").touch()
    (tmp_path / "input.txt").write_text(f"{TEXT}\n", encoding="utf-8")
    predictor.predict([TEXT])
    command("predict", "run=x", "input=input.txt").succeeded()
    command("generate", "run=x", f"prompt={TEXT}").succeeded()
    command("generate", "run=x", "prompt=-", stdin=f"{TEXT}\n").succeeded()
    samples.attention(tmp_path, [TEXT])
    own = ids_in(data)
    assert target.decode(own) == expected
    if data.boundaries == "none" and not data.has_bos_eos:
        assert own.pop(0) == BOS  # of the stream: a prompt goes on from anywhere in it
    assert entered == [own] * (5 if data.has_bos_eos else 4)  # running text has no source that attention could look at
