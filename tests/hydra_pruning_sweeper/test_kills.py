"""Nothing is lost: whatever is killed, whenever, a study ends as if nothing had happened."""

import os
import random
import signal
import time
from pathlib import Path

import pytest
from sweeper_support.simulation import PAUSING, PRUNER, logged, process, results, trials_of

from hydra_pruning_sweeper.study.pausing import pauses_of, promoted_after
from hydra_pruning_sweeper.trial.events import TrialEvents

both_pruners = pytest.mark.parametrize("pruner", [PRUNER, PAUSING], ids=["stopped", "paused"])


def children(process_id):
    """The processes that one has started, and those that they have."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == process_id and fields[0] not in "ZX":
                found.append(int(folder.name))
    return found


class Killer:
    """Kills, of a number of controllers, one itself, its server, or one of its trials."""

    def __init__(self, folder, seed, controllers, **options):
        self.folder, self.options = folder, {"rules": {"deaths": 1000}, **options}
        self.random = random.Random(seed)
        self.controllers = [process(folder, **self.options) for _ in range(controllers)]
        self.killed = {"controller": 0, "server": 0, "trial": 0}

    def kill(self):
        """Kills something; a controller is started again."""
        place = self.random.randrange(len(self.controllers))
        one = self.controllers[place]
        servers = children(one.pid) if one.poll() is None else []
        trials = [trial for server in servers for trial in children(server)]
        what, victims = self.random.choice([("controller", [one.pid]), ("server", servers), ("trial", trials)])
        if one.poll() is not None or not victims:
            return False
        try:
            os.kill(self.random.choice(victims), signal.SIGKILL)
        except ProcessLookupError:  # it has just ended by itself
            return False
        self.killed[what] += 1
        if what == "controller":
            one.wait()
            self.controllers[place] = process(self.folder, **self.options)
        return True

    def type_another_line(self):
        """Starts a controller of another search beside the others; it is refused."""
        while not (self.folder / "0").exists():  # until a trial is begun a study may become any search's
            time.sleep(0.05)
        (self.folder / "stderr.txt").unlink(missing_ok=True)
        one = process(self.folder, **{**self.options, "settings": {"epochs": 3}})
        assert one.wait(timeout=60) == 2
        assert "was begun as another search: epochs nothing → 3" in (self.folder / "stderr.txt").read_text()

    def finish(self):
        """Waits until all have ended."""
        for place, one in enumerate(self.controllers):
            assert one.wait(timeout=400) == 0, place


def run_killed(folder, kills, controllers, seed, between=(0.05, 0.6), changed=(), **options):
    """A study whose parts are killed so often, at random times. Where it is over too soon, fewer.

    After the kills of the numbers in `changed` somebody types the line with another setting.
    """
    killer = Killer(folder, seed, controllers, **options)
    done = 0
    while done < kills and any(one.poll() is None for one in killer.controllers):
        time.sleep(killer.random.uniform(*between))
        if killed := killer.kill():
            done += killed
            if done in changed:
                killer.type_another_line()
    killer.finish()
    return killer.killed


def assert_whole(folder, trials, steps=9, storage=None):
    """Exactly so many trials, all finished, each as its own log says."""
    found = results(folder, storage=storage)
    assert sorted(found) == list(range(trials))
    assert {state for state, *_ in found.values()} <= {"COMPLETE", "PRUNED"}
    kept = trials_of(folder, storage=storage)
    for number, (state, value, _, reported) in found.items():
        own = logged(folder, number)
        best = {step: min(v for at, v in own.items() if at <= step) for step in own}
        assert reported == best, number
        assert value == best[max(best)], number
        assert (state == "COMPLETE") == (max(own) == steps), number
        assert sorted(own) == list(range(1, max(own) + 1)), number
        progress = TrialEvents(folder / str(number)).read()
        stopped = progress.pruned or progress.paused_after(promoted_after(kept[number])) is not None
        assert stopped == (state == "PRUNED"), number
        pauses = [one.step for one in pauses_of(kept[number])]
        assert pauses == sorted(set(pauses)), number
        assert promoted_after(kept[number]) == tuple(one for one in pauses if one < max(own)), number


@both_pruners
def test_one_slot_that_is_killed_anywhere_equals_one_that_is_not(tmp_path, pruner):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    first = process(whole, trials=9, pause=0.005, pruner=pruner)
    count = run_killed(killed, 5, 1, 1, changed=[3], trials=9, pause=0.03, pruner=pruner)
    assert first.wait(60) == 0
    assert sum(count.values()) > 1
    assert_whole(killed, 9)
    assert results(killed) == results(whole)


@both_pruners
def test_two_controllers_share_a_study_and_outlive_each_other(tmp_path, pruner):
    count = run_killed(tmp_path, 5, 2, seed=3, trials=13, slots=2, pause=0.03, pruner=pruner)
    assert sum(count.values()) > 1
    assert_whole(tmp_path, 13)


@pytest.mark.slow
@both_pruners
def test_two_controllers_share_a_study_in_a_database(tmp_path, postgresql, pruner):
    count = run_killed(tmp_path, 8, 2, seed=5, storage=postgresql, trials=13, slots=2, pause=0.1, pruner=pruner)
    assert sum(count.values()) > 1
    assert_whole(tmp_path, 13, storage=postgresql)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [1, 2])
@both_pruners
def test_a_hundred_kills_leave_sixty_finished_trials(tmp_path, seed, pruner):
    # With pauses there are fewer steps to kill, and more starts of processes to wait for.
    pause, between = (2.5, (0.4, 1.2)) if pruner is PAUSING else (0.6, (0.2, 0.8))
    study = {"trials": 60, "slots": 2, "pause": pause, "pruner": pruner}
    count = run_killed(tmp_path, 100, 2, seed, between=between, changed=range(10, 100, 15), **study)
    assert sum(count.values()) == 100
    assert min(count.values()) > 10
    assert_whole(tmp_path, 60)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(5))
@both_pruners
def test_many_kills_of_one_slot_change_nothing(tmp_path, seed, pruner):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    first = process(whole, trials=25, pause=0.005, pruner=pruner)
    study = {"trials": 25, "pause": 0.05, "pruner": pruner}
    count = run_killed(killed, 40, 1, seed, between=(0.01, 0.8), changed=[5, 20, 35], **study)
    assert first.wait(60) == 0
    assert sum(count.values()) > 20
    assert results(killed) == results(whole)
