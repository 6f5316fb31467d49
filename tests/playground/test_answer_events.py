"""The events of an answer are what the search, the model and its attention give."""

import json
import math
import shutil

import pytest
import torch
from playground.conftest import REVERSAL, written
from torch.nn import functional as F

from seqlab.decoding import Beam, Greedy, Sample
from seqlab.errors import InputError
from seqlab.kinds import NOTHING, Trust
from seqlab.playground import answer_events as answer_events_module
from seqlab.playground.answer_events import LONGEST_PROMPT, answer_events
from seqlab.playground.named_bundles import named_bundles
from seqlab.playground.play_request import LONGEST_TEXT, LookRequest, PlayRequest, read_request
from seqlab.playground.played_models import LONGEST_LIST, played_models
from seqlab.playground.text_attention import LookingStep, looked
from seqlab.special_tokens import BOS, EOS
from seqlab.text.tokenizers import WordTokenizer

NAMES = ["bahdanau", "context_gru", "conv", "gpt", "gru", "lstm", "luong", "transformer"]
LISTS = ["4", "3 1 2", "3 14 1 5 9 2 6 11 7", "1 2 3 4 5 6 7 8 9 10 11 12 13 14"]


def answer(model, source, forced=(), search="greedy", **settings):
    """All events, by kind."""
    request = PlayRequest(source, {model.name: list(forced)}, search, settings)
    events = {"start": [], "token": [], "beam": [], "end": []}
    for event in answer_events(model, request):
        events[event["event"]].append(event)
    return events


def teacher_forced(model, source, ids):
    """Log-probabilities of the tokens `ids`, each after those before it."""
    tokens = torch.tensor([model.predictor.encode(source)])
    decoder_input = torch.tensor([[BOS, *ids[:-1]]])
    logits = model.predictor.model(tokens, torch.tensor([tokens.size(1)]), decoder_input)[0]
    return logits.log_softmax(-1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("source", LISTS)
def test_a_greedy_answer_is_that_of_the_predictor(models, name, source):
    model = models[name]
    events = answer(model, source)
    ids = [one["id"] for one in events["token"]]
    tokens = torch.tensor([model.predictor.encode(source)])
    longest = max(11, tokens.size(1) + 5)
    found = model.predictor.model.generate(tokens, torch.tensor([tokens.size(1)]), Greedy(max_length=longest))
    assert [i for i in ids if i != EOS] == found.tokens[0, 0].tolist()
    (end,) = events["end"]
    assert end["score"] == pytest.approx(float(found.scores), abs=1e-4)
    right = source.split()[::-1]
    assert end["match"] == (end["text"] == " ".join(right)) and events["start"][0]["right"] == " ".join(right)
    with torch.inference_mode():
        values = teacher_forced(model, source, ids)
    for position, (one, known) in enumerate(zip(events["token"], values, strict=True)):
        assert one["p"] == pytest.approx(math.exp(known[one["id"]]), abs=1e-5)
        shown = [other["p"] for other in one["likeliest"]]
        assert shown == sorted(shown, reverse=True) and shown[0] == one["p"] and len(shown) == 5
        assert one["right"] == (one["text"] == [*right, "<eos>", *[""] * 9][position])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("source", LISTS[:3])
def test_attention_is_that_of_the_whole_output_at_once(models, name, source):
    model = models[name]
    events = answer(model, source)["token"]
    tokens = torch.tensor([model.predictor.encode(source)])
    decoder_input = torch.tensor([[BOS, *[one["id"] for one in events][:-1]]])
    maps = model.predictor.model.attention_maps(tokens, torch.tensor([tokens.size(1)]), decoder_input)
    assert (set(model.heads) == set()) == (name in ("gru", "lstm", "context_gru"))
    for module in model.heads:
        whole = 100 * maps[module][0, :, :, : tokens.size(1)]
        for step, one in enumerate(events):
            shown = torch.tensor(one["attention"][module.removesuffix(".core")])
            assert shown.shape == (model.heads[module], tokens.size(1))
            assert (shown - whole[:, step]).abs().max() <= 0.51


def test_samples_follow_the_seed_and_equal_the_predictors(models):
    model = models["gru"]
    settings = {"temperature": 3.0, "top_k": 9, "top_p": 0.9}
    texts = [answer(model, LISTS[2], search="sample", seed=seed, **settings)["end"][0]["text"] for seed in (1, 2, 1)]
    assert texts[0] == texts[2] != texts[1]
    tokens = torch.tensor([model.predictor.encode(LISTS[2])])
    found = model.predictor.model.generate(tokens, torch.tensor([9]), Sample(max_length=14, seed=1, **settings))
    assert model.predictor.target_tokenizer.decode(found.tokens[0, 0].tolist()) == texts[0]


@pytest.mark.parametrize("penalty", [0.0, 2.0])
@pytest.mark.parametrize("name", ["gru", "luong", "gpt"])
def test_a_beam_finds_what_the_predictor_finds_and_shows_how(models, name, penalty):
    model, source = models[name], LISTS[3]
    events = answer(model, source, search="beam", size=4, length_penalty=penalty)
    tokens = torch.tensor([model.predictor.encode(source)])
    beam = Beam(max_length=19, size=4, length_penalty=penalty)
    found = model.predictor.model.generate(tokens, torch.tensor([14]), beam)
    ids = [one["id"] for one in events["token"]]
    assert [i for i in ids if i != EOS] == found.tokens[0, 0].tolist()
    assert events["end"][0]["score"] == pytest.approx(float(found.scores), abs=1e-4)
    live, ended = [((), 0.0)], {}
    for position, event in enumerate(events["beam"]):
        each = [((*live[one["parent"]][0], one["id"]), one) for one in event["candidates"]]
        kept = [one for one in each if one[1]["state"] != "pruned"]
        assert len({path for path, _ in each}) == len(each) and len(kept) <= 4 < len(each)
        assert min(one["score"] for _, one in kept) >= max(one["score"] for _, one in each[len(kept) :])
        for path, one in each:
            assert one["score"] <= live[one["parent"]][1] + 1e-5
            assert one["rank"] == pytest.approx(one["score"] / beam.penalty(position + 1))
            if one["state"] == "ended":
                ended[path] = one["rank"]
        live = [(path, one["score"]) for path, one in kept if one["state"] == "going"]
    assert max(ended, key=ended.get) == tuple(ids)


@pytest.mark.parametrize("search", ["greedy", "sample", "beam"])
def test_an_answer_goes_on_from_forced_tokens(models, search):
    model = models["bahdanau"]
    forced = model.predictor.target_tokenizer.encode("9 9")
    events = answer(model, "3 1 2", forced, search)
    ids = [one["id"] for one in events["token"]]
    assert ids[:2] == forced and [one["forced"] for one in events["token"]][:3] == [True, True, False]
    assert events["token"][0]["likeliest"][0]["text"] == "2" and events["token"][0]["p"] < 0.1
    free = [one["id"] for one in answer(model, "3 1 2")["token"]]
    assert [one["id"] for one in answer(model, "3 1 2", free[:2], search)["token"]] == free


def test_a_text_has_the_surprise_that_a_teacher_forced_model_has(writer):
    (model,) = played_models(named_bundles([writer]), NOTHING)
    text = "the ferry waits"
    events = answer(model, text, search="sample", seed=3)
    assert (events["start"][0]["first"], events["start"][0]["source"]) == ("t", [])
    typed = [one for one in events["token"] if one["prompt"]]
    assert "".join(one["piece"] for one in typed) == text[1:]
    ids = torch.tensor([model.predictor.target_tokenizer.encode(text)])
    window = ids[:, :12]
    empty = torch.zeros(1, 1, dtype=torch.long), torch.zeros(1, dtype=torch.long)
    with torch.inference_mode():
        logits = model.predictor.model(*empty, window[:, :-1])
    known = -F.cross_entropy(logits[0], window[0, 1:], reduction="none")
    assert [math.log(one["p"]) for one in typed[:11]] == pytest.approx(known.tolist(), abs=1e-4)
    written = [one for one in events["token"] if not one["prompt"]]
    assert len(written) == 60 and events["end"][0]["text"] == "".join(one["piece"] for one in written)
    assert events["end"][0]["match"] is None and not any(one["attention"] for one in written)


@pytest.mark.parametrize(
    ("prompt", "rest"), [('he said "yes', '" and left'), ("he said", ' "yes" and'), ('he said "', "yes")]
)
def test_a_continuation_is_spaced_as_it_follows_the_prompt(tmp_path, prompt, rest):
    tokenizer = WordTokenizer.fit(['he said "yes" and left'] * 3)
    (model,) = played_models(named_bundles([written(tmp_path / "words", tokenizer)]), NOTHING)
    forced = tokenizer.encode(prompt + rest)[len(tokenizer.encode(prompt)) :]
    events = answer(model, prompt, forced)
    text = events["end"][0]["text"]
    assert text.startswith(rest)
    assert text == "".join(one["piece"] for one in events["token"] if not one["prompt"])


@pytest.mark.parametrize("search", ["greedy", "beam"])
def test_a_text_is_continued_by_every_search_and_from_forced_tokens(writer, search):
    (model,) = played_models(named_bundles([writer]), NOTHING)
    forced = model.predictor.target_tokenizer.encode("ff")
    events = answer(model, "the ", forced, search)
    assert events["end"][0]["text"].startswith("ff")
    assert [one["forced"] for one in events["token"]][:6] == [False] * 3 + [True] * 2 + [False]
    assert len(events["beam"]) == (62 if search == "beam" else 0)


@pytest.mark.parametrize("settings", [{"search": "greedy"}, {"search": "sample", "seed": 3}, {"search": "beam"}])
def test_a_text_longer_than_the_window_is_continued_as_the_predictor_does(writer, settings):
    (model,) = played_models(named_bundles([writer]), NOTHING)
    text = "the captain waits for the ferry"
    events = answer(model, text, **settings)
    kind = {"greedy": Greedy, "sample": Sample, "beam": Beam}[settings.pop("search")]
    model.predictor.search = kind(max_length=60, **settings)
    ((found,),) = model.predictor.predict_n_best([text])
    (end,) = events["end"]
    assert (end["text"], end["score"]) == (found.text, pytest.approx(found.score, abs=1e-3))
    if kind is Beam:
        last = [one["score"] for one in events["beam"][-1]["candidates"] if one["state"] == "ended"]
        assert end["score"] == pytest.approx(max(last), abs=1e-3)


def test_where_a_model_looked_in_its_text_is_where_it_looked_when_it_answered(writer, monkeypatch):
    (model,) = played_models(named_bundles([writer]), NOTHING)
    while_answering = []

    class Watching(LookingStep):
        def __init__(self, step, network, names, length):
            super().__init__(step, network, [*model.heads])

        def __call__(self, tokens, state):
            found = super().__call__(tokens, state)
            while_answering.append(self.looked)
            return found

    monkeypatch.setattr(answer_events_module, "LookingStep", Watching)
    text = "the captain waits for the ferry"
    tokens = answer(model, text)["token"]
    assert len(tokens) == len(while_answering) == 30 + 60
    for step, known in enumerate(while_answering):
        written = [one["id"] for one in tokens[:step] if not one["prompt"]]
        found = looked(model.predictor, [*model.heads], LookRequest(model.name, text, written, step))
        assert found.keys() == known.keys() != set()
        for name, heads in known.items():
            assert (torch.tensor(found[name]) - torch.tensor(heads)).abs().max() <= 1


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "no text"),
        ("1 " * (LONGEST_LIST + 1), f"at most {LONGEST_LIST}"),
    ],
)
def test_sources_beyond_a_limit_are_refused_in_one_line(models, source, message):
    with pytest.raises(InputError, match=message) as stop:
        answer(models["gru"], source)
    assert "\n" not in str(stop.value)


def test_a_text_beyond_the_limit_is_refused(writer):
    (model,) = played_models(named_bundles([writer]), NOTHING)
    with pytest.raises(InputError, match=f"{LONGEST_PROMPT + 5:,} tokens; this page takes at most"):
        answer(model, "t" * (LONGEST_PROMPT + 4) + "h")


def test_symbols_that_a_model_does_not_know_are_named(models):
    start = answer(models["gru"], "3 hen 2")["start"][0]
    assert start["unknown"] == ["hen"] and start["right"] is None


def test_a_token_without_a_probability_ends_the_answer(writer):
    (model,) = played_models(named_bundles([writer]), NOTHING)
    with pytest.raises(InputError, match="'<eos>' cannot come here"):
        answer(model, "the ", [EOS])
    for parameter in model.predictor.model.parameters():
        parameter.data.fill_(math.nan)
    with pytest.raises(InputError, match="the model has diverged"):
        answer(model, "the ")


@pytest.mark.parametrize("forced", [[1], [0], [19], [-3], [5] * 201])
def test_forced_tokens_that_are_none_are_refused(models, forced):
    with pytest.raises(InputError, match="forced"):
        answer(models["gru"], "3", forced)


GOOD = '{"source": "3", "forced": {"gru": []}, "search": "greedy", "settings": {}}'


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{", "", "not JSON"),
        ('{"source"', "[" * 99_000 + '{"source"', "not JSON"),
        ('"source"', '"file"', "must be an object"),
        ('"3"', '"\\ud800"', "not valid Unicode"),
        ('"3"', "3", "source must be a text"),
        ('"3"', f'"{"3" * (LONGEST_TEXT + 1)}"', "may have 10,000 characters"),
        ("[]", '["x"]', "forced must have"),
        ("[]", "[true]", "forced must have"),
        ('{"gru": []}', "{}", "forced must have"),
        ('"greedy"', '"os.system"', "search must be one of greedy, sample, beam"),
        ('"greedy"', "[]", "search must be one of"),
        ('"settings": {}', '"settings": {"max_length": 9}', "settings of greedy are none"),
        ('"greedy", "settings": {}', '"beam", "settings": {"size": 4000}', "may have 12"),
    ],
)
def test_requests_that_are_none_are_refused(old, new, message):
    assert read_request(GOOD.encode()) == PlayRequest("3", {"gru": []}, "greedy", {})
    with pytest.raises(InputError, match=message):
        read_request(GOOD.replace(old, new, 1).encode())


@pytest.mark.parametrize("settings", [{"temperature": "x"}, {"top_p": 7.0}, {"seed": -1}, {"temperature": math.nan}])
def test_settings_that_a_search_refuses_are_named(models, settings):
    with pytest.raises(InputError, match="decoding"):
        answer(models["gru"], "3", search="sample", **settings)


def test_models_are_found_in_folders_and_have_names_of_their_own(writer, tmp_path):
    for folder in ("a/run/bundle", "b/run"):
        (tmp_path / folder).parent.mkdir(parents=True)
        (tmp_path / folder).symlink_to(REVERSAL / "gru", target_is_directory=True)
    found = played_models(named_bundles([tmp_path / "a", tmp_path / "b/run", writer, writer.parent]), NOTHING)
    assert [one.name for one in found] == ["a/run", "b/run", "letters"]
    with pytest.raises(InputError, match="no bundle"):
        played_models(named_bundles([tmp_path]), NOTHING)


@pytest.mark.parametrize("located", ["run", "."])
def test_a_package_that_lies_in_a_run_is_not_imported(tmp_path, monkeypatch, located):
    bundle = shutil.copytree(REVERSAL / "gru", tmp_path / "run/bundle")
    content = json.loads((bundle / "bundle.json").read_text())
    content["model"]["kind"] = "lab_within:Model"
    (bundle / "bundle.json").write_text(json.dumps(content))
    (tmp_path / "run/lab_within.py").write_text("raise AssertionError('imported')")
    monkeypatch.syspath_prepend(tmp_path / "run")
    with pytest.raises(InputError, match="lab_within would come with the bundle"):
        played_models(named_bundles([tmp_path / located]), Trust.of(["lab_within"]))


def test_a_folder_that_is_named_in_several_ways_is_one_model(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/bundle").symlink_to(REVERSAL / "gru", target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    ways = ["run", tmp_path / "run", "run/bundle", "../" + tmp_path.name + "/run"]
    assert [*named_bundles([*ways, REVERSAL / "lstm"])] == ["run", "lstm"]
