"""The server on a real socket: it streams, cancels, takes turns, loses nothing, and gives away nothing."""

import asyncio
import gc
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
from playground.conftest import REVERSAL, Client, events_of, served
from playground.made_runs import made_run

from seqlab.inference.predictor import Predictor
from seqlab.kinds import NOTHING
from seqlab.playground import server, training_search
from seqlab.playground.named_bundles import named_bundles
from seqlab.playground.play_request import LONGEST_BODY
from seqlab.playground.played_models import played_models
from seqlab.playground.server import FILES, play_app, together
from seqlab.playground.text_attention import LookingStep


@pytest.fixture(scope="module")
def client(models):
    with served(play_app([*models.values()])) as port:
        yield Client(port)


class GatedPredictor(Predictor):
    """A model that takes a step only when it may; `steps` counts those that it has taken."""

    def begin(self, ids):
        step, state, start = super().begin(ids)

        def gated(tokens, state):
            self.gate.acquire()
            self.steps += 1
            return step(tokens, state)

        return gated, state, start


@pytest.fixture
def gated(models, monkeypatch):
    """Such a model, called `slow`, of which each turn is one token."""
    monkeypatch.setattr(server, "TURN", 0)
    fast = models["gru"].predictor
    slow = GatedPredictor(fast.model, fast.source_tokenizer, fast.target_tokenizer, fast.search)
    slow.gate, slow.steps = threading.Semaphore(0), 0
    return replace(models["gru"], name="slow", predictor=slow)


def test_the_page_and_all_that_it_loads_come_from_here(client):
    status, headers, content = client.get("/")
    assert status == 200 and headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    for name in FILES:
        status, headers, _ = client.get(f"/{name}")
        assert status == 200 and headers["X-Content-Type-Options"] == "nosniff"
        assert not name or f'"{name}"' in content.decode()
    assert b"http:" not in content and b"https:" not in content


def test_the_models_are_listed(client):
    listed = {one["name"]: one for one in json.loads(client.get("/models")[2])}
    assert len(listed) == 8 and listed["gpt"]["heads"]["stack.blocks.3.self_attention"] == 4
    assert listed["gru"]["heads"] == {} and listed["gru"]["numbers"] == [1, 15] and listed["gru"]["answers"]


@pytest.mark.parametrize(
    "path", ["/../pyproject.toml", "/..%2f..%2fpyproject.toml", "/%2fetc/passwd", "/bundle.json", "//etc/passwd"]
)
def test_no_other_file_is_served(client, path):
    assert client.get(path)[0] == 404


def test_several_models_answer_in_one_stream(client):
    events = client.ask({"gru": [], "bahdanau": [], "gpt": []}, "3 1 2")
    for name in ("gru", "bahdanau", "gpt"):
        own = [one for one in events if one["model"] == name]
        assert [one["event"] for one in own] == ["start", *["token"] * 4, "end"]
        assert own[-1]["text"] == "2 1 3" and own[-1]["match"]


def test_what_a_model_cannot_answer_is_an_event_and_others_answer(client, models):
    events = client.ask({"gru": [99], "lstm": []}, "3 1 2")
    (error,) = (one for one in events if one["model"] == "gru")
    assert error["event"] == "error" and "forced" in error["message"]
    assert [one["event"] for one in events if one["model"] == "lstm"][-1] == "end"


def test_a_model_that_fails_says_so_and_answers_again(models):
    broken = replace(models["gru"], name="broken", answer=lambda source: "3" * (1 // (len(source) - 1)))
    with served(play_app([broken])) as port:
        (event,) = Client(port).ask({"broken": []}, "3")
        assert event == {"event": "error", "message": "the model failed: ZeroDivisionError", "model": "broken"}
        assert Client(port).ask({"broken": []}, "3 1")[-1]["event"] == "end"


def test_tokens_come_one_by_one_and_a_slow_model_delays_no_other(models, gated):
    with served(play_app([gated, models["lstm"]])) as port:
        connection, response = Client(port).asking({"slow": [], "lstm": []}, "3 1 2")
        events = events_of(response)
        while (event := next(events))["model"] != "lstm" or event["event"] != "end":
            assert event["model"] == "lstm" or event["event"] == "start"
        for count in range(1, 5):
            gated.predictor.gate.release()
            assert next(events)["event"] == "token" and gated.predictor.steps == count
        assert next(events)["event"] == "end" and next(events, None) is None
        connection.close()


def test_closing_the_page_ends_its_work_and_frees_the_model(gated):
    with served(play_app([gated])) as port:
        client = Client(port)
        connection, response = client.asking({"slow": []}, "1 2 3 4 5 6 7 8 9")
        assert next(events_of(response))["event"] == "start"
        connection.sock.close()
        response.close()
        connection.close()
        other, response = client.asking({"slow": []}, "4 5")
        events = events_of(response)
        for _ in range(40):  # many more than the answer to the first list has steps
            gated.predictor.gate.release()
        assert [one["event"] for one in events] == ["start", "token", "token", "token", "end"]
        other.close()
    assert gated.predictor.steps <= 3 + 10


def test_a_reader_who_leaves_while_nothing_comes_leaves_no_task_behind():
    async def receive():
        await asyncio.Event().wait()

    async def read():
        reading = asyncio.create_task(
            anext(together([lambda queue: receive()], Mock(receive=receive), asyncio.Event()))
        )
        await asyncio.sleep(0.01)
        reading.cancel()
        await asyncio.wait([reading])
        await asyncio.sleep(0.01)  # what was cancelled ends
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(read()) == set()


def test_requests_to_one_model_take_turns(gated):
    """The second answer does not wait for the end of the first."""
    with served(play_app([gated])) as port:
        client = Client(port)
        first, one = client.asking({"slow": []}, "1 2 3 4 5 6 7 8 9")
        second, two = client.asking({"slow": []}, "3")
        ahead, behind = events_of(one), events_of(two)
        assert next(ahead)["event"] == "start"
        for _ in range(8):
            gated.predictor.gate.release()
        assert [event["event"] for event in behind] == ["start", "token", "token", "end"]
        for _ in range(30):
            gated.predictor.gate.release()
        assert [*ahead][-1]["event"] == "end"
        first.close()
        second.close()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two models of runs on the same kind of data."""
    folder, data = tmp_path_factory.mktemp("runs"), {"_target_": "seqlab.data.reversal.Reversal", "samples": 400}
    for name in ("gru", "lstm"):
        made_run(folder / name, REVERSAL / name, {**data, "seed": len(name)})
    return played_models(named_bundles([folder]), NOTHING)


def test_training_data_is_read_once_when_asked_for_and_then_searched(models, runs, monkeypatch):
    called, reads = [], training_search.searchable_training
    gate = threading.Semaphore(0)

    def gated(run):
        called.append(run)
        gate.acquire()
        return reads(run)

    monkeypatch.setattr(training_search, "searchable_training", gated)
    with served(play_app([*runs, models["conv"]])) as port:
        client = Client(port)
        connections = [client.seeing(["gru", "lstm", "conv"], "3 1 2") for _ in range(3)]
        streams = [events_of(response) for _, response in connections]
        for events in streams:
            first = {(one["model"], one["event"]) for one in (next(events), next(events), next(events))}
            assert first == {("gru", "reading"), ("lstm", "reading"), ("conv", "unseen")}
        assert client.ask({"gru": []}, "3 1 2")[-1]["text"] == "2 1 3"  # meanwhile models answer
        gate.release(2)
        for events in streams:
            seen = {one["model"]: one for one in events}
            assert seen["gru"]["count"] == 1 and seen["gru"]["longest"] == [0, 0, 0]
            assert seen["gru"]["event"] == seen["lstm"]["event"] == "seen"
        for connection, _ in connections:
            connection.close()
        _, again = client.seeing(["gru"], "4 4")
        assert [one["event"] for one in events_of(again)] == ["seen"]
    assert called == [runs[0].run, runs[1].run]


def test_training_data_that_cannot_be_read_says_so_and_is_tried_again(runs, monkeypatch):
    def broken(run):
        raise ZeroDivisionError

    reads = training_search.searchable_training
    with served(play_app(runs[:1])) as port:
        monkeypatch.setattr(training_search, "searchable_training", broken)
        events = [*events_of(Client(port).seeing(["gru"], "3")[1])]
        assert events[-1]["message"] == "its training data could not be read: ZeroDivisionError"
        monkeypatch.setattr(training_search, "searchable_training", reads)
        events = [*events_of(Client(port).seeing(["gru"], "3 hen")[1])]
        assert [one["event"] for one in events] == ["reading", "seen"]


def test_only_so_much_training_data_stays_in_memory(monkeypatch):
    monkeypatch.setattr(training_search, "searchable_training", lambda run: run)
    search = training_search.TrainingSearch()
    first = search.of(Path("0"))
    others = [search.of(Path(str(number))) for number in range(1, training_search.KEPT)]
    assert search.of(Path("0")) is first
    others.append(search.of(Path("more")))
    assert search.of(Path("0")) is not first and others[-1].result() == Path("more")


def test_a_search_whose_reader_has_gone_is_not_begun(runs):
    search, gate, called = training_search.TrainingSearch(), threading.Semaphore(0), []
    search._searcher.submit(gate.acquire)

    class Training:
        def search(self, predictor, text):
            called.append(text)
            return {}

    async def ask_twice():
        gone = asyncio.create_task(search.search(Training(), runs[0], "first"))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait([gone])
        gate.release()
        await search.search(Training(), runs[0], "second")

    asyncio.run(ask_twice())
    assert called == ["second"]


def test_where_a_language_model_looked_is_told_for_one_token(models, writer):
    (letters,) = played_models(named_bundles([writer]), NOTHING)
    with served(play_app([letters, models["gpt"]])) as port:
        client = Client(port)
        answer = client.ask({"letters": []}, "the ferry waits")
        tokens = [one for one in answer if one["event"] == "token"]
        for step in (0, 4, 30):
            written = [one["id"] for one in tokens[:step] if not one["prompt"]]
            status, maps = client.looking(model="letters", source="the ferry waits", written=written, step=step)
            (heads,) = maps.values()
            assert status == 200 and len(heads) == 2
            assert [*maps] == [name.removesuffix(".core") for name in letters.heads]
            seen = {0: 1, 4: 5, 30: 7}[step]  # a full window of 12 goes on with 6
            assert all(len(head) == seen and abs(sum(head) - 100) <= 6 for head in heads)
        for more, message in (
            ({"step": 99}, "step"),
            ({"written": [0]}, "ids must be"),
            ({"model": "gpt"}, "continues no text"),
            ({"model": "x"}, "no such model"),
            ({"step": -1}, "step must be"),
            ({"written": ["x"]}, "written must be"),
        ):
            asked = {"model": "letters", "source": "the", "written": [], "step": 1, **more}
            status, answer = client.looking(**asked)
            assert status == 400 and message in answer["error"]


def test_a_server_that_ends_ends_its_streams(gated):
    with served(play_app([gated])) as port:
        connection, response = Client(port).asking({"slow": []}, "1 2 3")
        events = events_of(response)
        assert next(events)["event"] == "start"
    assert [*events] == []  # and it was told so: a stream that breaks off raises
    gated.predictor.gate.release(30)
    connection.close()


def resident():
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_of_fifty_at_once_none_is_lost_and_memory_stays_flat(client):
    lists = [" ".join(str(1 + (i * 7 + j * 3) % 15) for j in range(1 + i % 3)) for i in range(50)]

    def texts(source):
        return {
            one["model"]: one["text"] for one in client.ask({"gru": [], "lstm": []}, source) if one["event"] == "end"
        }

    def everyone():
        with ThreadPoolExecutor(50) as people:
            return [*people.map(texts, lists)]

    first = everyone()
    assert all(answers.keys() == {"gru", "lstm"} for answers in first)
    gc.collect()
    before = resident()
    assert everyone() == first
    gc.collect()
    assert resident() - before < 40_000_000
    assert not [one for one in gc.get_objects() if isinstance(one, LookingStep)]


def test_with_a_token_nothing_else_answers(models):
    with served(play_app([models["gru"]], token="abc", hosts=["*"])) as port:
        client = Client(port)
        assert [client.get(path)[0] for path in ("/", "/models", "/abd/models", "/style.css")] == [404] * 4
        for path in ("/abc/", "/abc/models", "/abc/play.js"):
            assert client.get(path, Host="some.where")[0] == 200


def test_other_websites_can_neither_call_nor_ask(client):
    assert client.get("/models", Host="evil.example")[0] == 400
    assert client.get("/models", Host=f"localhost:{client.port}")[0] == 200
    body = json.dumps({"source": "3", "forced": {"gru": []}, "search": "greedy", "settings": {}})
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        connection, response = client.open("POST", "/answer", body, **{"Content-Type": kind})
        assert response.status == 400 and "application/json" in json.loads(response.read())["error"]
        connection.close()


UNKNOWN_MODEL = '{"source": "3", "forced": {"../x": []}, "search": "greedy", "settings": {}}'


@pytest.mark.parametrize("body", ["", "null", "[]", "{", UNKNOWN_MODEL])
def test_hostile_requests_are_refused_in_one_line(client, body):
    connection, response = client.open("POST", "/answer", body, **{"Content-Type": "application/json"})
    error = json.loads(response.read())["error"]
    assert response.status == 400 and error and "\n" not in error
    connection.close()


def test_a_body_without_end_is_refused(client):
    connection, response = client.open(
        "POST", "/answer", "x" * (LONGEST_BODY + 1), **{"Content-Type": "application/json"}
    )
    assert response.status == 400 and "longer than" in json.loads(response.read())["error"]
    connection.close()
