"""A trial's memory: what each line says, and lines that a stop tore."""

import json

import pytest

from hydra_pruning_sweeper.trial import events as module
from hydra_pruning_sweeper.trial.events import Decision, Span, TrialEvents, TrialProgress


def progress(*lines):
    found = TrialProgress()
    for line in lines:
        found.take(line)
    return found


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ({"event": "process", "host": "here", "pid": 7, "start": 11}, {"process": ("here", 7, 11)}),
        ({"event": "first_step"}, {"first_steps": [5.0]}),
        ({"event": "last_step"}, {"last_steps": [5.0]}),
        (
            {"event": "reported", "step": 3, "value": 0.5, "raw": 0.75},
            {"reported": {3: 0.5}, "raw": {3: 0.75}, "times": {3: 5.0}},
        ),
        (
            {"event": "decided", "step": 3, "prune": False, "notes": {"rung": 1}},
            {"decisions": {3: Decision(False, {"rung": 1})}},
        ),
        ({"event": "diverged", "step": 3}, {"diverged": True}),
        ({"event": "ended", "value": 0.25}, {"ended": True, "value": 0.25}),
        ({"event": "ended", "value": None}, {"ended": True}),
        ({"event": "told", "state": "COMPLETE"}, {}),
    ],
)
def test_each_line_says_one_thing(line, expected):
    assert progress({"time": 5.0, **line}) == TrialProgress(**expected)


def test_an_attempt_lasts_until_the_last_line_before_the_next_one():
    def started(time, slot):
        return {"event": "started", "time": time, "owner": "here", "slot": slot, "attempt": 1}

    found = progress(
        started(1.0, 0),
        {"event": "first_step", "time": 2.0},
        {"event": "last_step", "time": 4.0},
        started(9.0, 1),
        {"event": "first_step", "time": 11.0},
    )
    assert found.spans == [Span("here", 0, 1.0, 4.0), Span("here", 1, 9.0, 11.0)]


@pytest.mark.parametrize(("owner", "end"), [("here", 6.0), ("later", 4.0), (None, 4.0)])
def test_an_attempt_lasts_no_longer_if_another_controller_tells_of_it(owner, end):
    found = progress(
        {"event": "started", "time": 1.0, "owner": "here", "slot": 0, "attempt": 1},
        {"event": "ended", "time": 4.0, "value": 0.5},
        {"event": "told", "time": 6.0, "state": "COMPLETE", "owner": owner},
    )
    assert found.spans == [Span("here", 0, 1.0, end)] and found.controller is None


def test_one_decision_to_stop_prunes():
    decided = {"event": "decided", "time": 1.0, "notes": {}}
    stays = {**decided, "step": 1, "prune": False}
    assert not progress(stays).pruned
    assert progress(stays, {**decided, "step": 3, "prune": True}).pruned


def test_lines_come_back_and_a_torn_one_harms_no_other(tmp_path, monkeypatch):
    monkeypatch.setattr(module.time, "time", lambda: 5.0)
    one = TrialEvents(tmp_path / "deep" / "3")
    assert one.read() == TrialProgress()
    one.add("first_step")
    with one.path.open("ab") as file:
        file.write(b'{"event": "last_st')
    one.add("diverged", step=2)
    one.add("ended", value=1.5)
    assert [line[:1] for line in one.path.read_text().splitlines()] == ["{"] * 4
    assert json.loads(one.path.read_text().splitlines()[-1]) == {"event": "ended", "time": 5.0, "value": 1.5}
    assert one.read() == TrialProgress(first_steps=[5.0], diverged=True, ended=True, value=1.5)
    assert oct(one.path.stat().st_mode & 0o600) == "0o600"
