"""Wherever a study is kept, one controller at a time changes it, and several share it."""

import threading
import time

import optuna
import pytest
from optuna.trial import TrialState
from sweeper_support.simulation import SPACE

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.study import storage as module
from hydra_pruning_sweeper.study.lease import lease_of
from hydra_pruning_sweeper.study.rules import Rules
from hydra_pruning_sweeper.study.shared_study import SharedStudy
from hydra_pruning_sweeper.study.space import Space
from hydra_pruning_sweeper.study.storage import StudyStorage, _attribute_turn, store_url


@pytest.fixture(params=["journal", "sqlite", "grpc_proxy", pytest.param("postgresql", marks=pytest.mark.slow)])
def url(request, tmp_path):
    """A journal, and what a study may be kept in besides."""
    own = {"journal": str(tmp_path / "journal.log"), "sqlite": f"sqlite:///{tmp_path}/study.db"}
    return own.get(request.param) or request.getfixturevalue(request.param)


def shared_study(url, trials=11, **rules):
    return SharedStudy(StudyStorage(url), "s", "minimize", Space(SPACE), Rules(trials, **rules))


def test_controllers_that_take_at_once_take_each_trial_once(url):
    leased, controllers = [], [shared_study(url) for _ in range(3)]

    def work(one):
        while (trial := one.take()) is not None:
            leased.append(trial.number)
            one.tell(trial.number, TrialState.COMPLETE, 1.0)

    threads = [threading.Thread(target=work, args=(one,)) for one in controllers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(leased) == list(range(11))
    assert {t.state for t in controllers[0].trials()} == {TrialState.COMPLETE}


def test_controllers_that_begin_at_once_share_a_study(url):
    found, begun = [], threading.Barrier(3)

    def work():
        begun.wait()
        found.append(shared_study(url, 3).take().number)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [0, 1, 2]


def test_a_trial_is_taken_over_when_its_controller_is_silent_and_cannot_be_told_twice(url, monkeypatch):
    elsewhere, here = shared_study(url, 1, patience=0.2), shared_study(url, 1, patience=0.2)
    monkeypatch.setattr("hydra_pruning_sweeper.study.shared_study.machine", lambda: "elsewhere")
    first = elsewhere.take()
    monkeypatch.undo()
    assert here.take() is None
    time.sleep(0.15)
    assert elsewhere.beat() == []
    assert here.take() is None  # it gave a sign
    time.sleep(0.3)
    second = here.take()
    assert (second.number, second.values, second.adopted) == (first.number, first.values, True)
    assert second.lease.attempt == 2
    assert elsewhere.beat() == [0]  # it has lost it
    assert not elsewhere.tell(0, TrialState.COMPLETE, 5.0)
    assert here.tell(0, TrialState.COMPLETE, 7.0)
    assert here.trials()[0].value == 7.0


def test_a_trial_that_was_given_back_goes_on_at_once(url):
    one = shared_study(url, 2)
    first = one.take()
    one.release(first.number, died=True)
    again = shared_study(url, 2).take()
    assert (again.number, again.values, again.lease.idle) == (first.number, first.values, 1)


def test_a_controller_that_died_between_asking_and_leasing_leaves_a_trial_for_the_next(url):
    one = shared_study(url)
    number = one.study.ask().number  # no values yet
    leased = one.take()
    assert (leased.number, sorted(leased.values)) == (number, ["width", "x"])
    assert lease_of(one.trials()[number].user_attrs).owner == one.owner


def test_a_study_of_the_other_direction_is_refused(url):
    shared_study(url)
    with pytest.raises(UsageError, match=r"direction minimize"):
        SharedStudy(StudyStorage(url), "s", "maximize", Space(SPACE), Rules(1))


def test_an_attribute_gives_turns_where_there_is_no_lock(monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 1.0)
    storage = optuna.storages.InMemoryStorage()
    study = storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], "s")
    inside, most = [], []

    def work():
        for _ in range(5):
            with _attribute_turn(storage, "s"):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.001)
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(most), max(most)) == (20, 1)
    storage.set_study_user_attr(study, "turn:of one that died", True)
    with _attribute_turn(storage, "s"):
        pass


def test_where_a_study_is_kept(tmp_path):
    assert store_url(None, tmp_path) == str(tmp_path / "journal.log")
    assert store_url("postgresql://h/d", tmp_path) == "postgresql://h/d"
    with pytest.raises(UsageError, match=r"hydra.sweeper.storage: nosuch://user:…@h/d cannot be opened"):
        StudyStorage("nosuch://user:secret@h/d")


def test_passwords_are_not_shown(tmp_path):
    one = StudyStorage(str(tmp_path / "j.log"))
    one.url = "postgresql://me:secret@host/db"
    assert one.shown == "postgresql://me:…@host/db"
