"""A search from what is typed to what it leaves, over an executor that only pretends."""

import sys
from types import ModuleType

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.types import HydraContext
from sweeper_support.pretended_executor import PretendedExecutor

from hydra_pruning_sweeper.errors import UsageError
from hydra_pruning_sweeper.execution.executor import JobEnd
from hydra_pruning_sweeper.run_sweep import SweepRun
from hydra_pruning_sweeper.trial.events import TrialEvents
from hydra_pruning_sweeper.views.recorded_sweep import open_sweep


@pytest.fixture
def search(tmp_path, monkeypatch):
    """Runs a search of x with y fixed; gives its best value and its executor. A trial comes to its x."""

    def value(job):
        (x,) = [float(word[2:]) for word in job.arguments if word.startswith("x=")]
        if job.number == 1 and not (job.folder / "last.ckpt").exists():
            (job.folder / "last.ckpt").touch()
            return JobEnd(1, -9)
        TrialEvents(job.folder).add("ended", value=x)
        return JobEnd(job.number, 0)

    def run(*more):
        (tmp_path / "conf").mkdir(exist_ok=True)
        (tmp_path / "conf/app.yaml").write_text("x: 0.5\ny: 1\nz: 1\nresume: null\nepochs: 9\n")
        monkeypatch.setattr(sys, "argv", ["/bin/some-app", "--config-name=app", "-m", "y=2", "x=interval(0,1)"])
        settings = [
            *("hydra/sweeper=pruning", "hydra.sweeper.n_trials=4", "hydra.sweeper.trial=['epochs=7']"),
            *("hydra.sweeper.checkpoint=last.ckpt", "hydra.sweeper.constraints=['x < y / 2.5']"),
            *(f"hydra.sweep.dir={tmp_path}/study", "hydra.job.config_name=app", *more),
        ]
        with initialize_config_dir(str(tmp_path / "conf"), version_base=None):
            config = compose("app", overrides=[*settings, "y=2"], return_hydra_config=True)
            context = HydraContext(GlobalHydra.instance().config_loader(), Callbacks())
            one = SweepRun(config, ["y=2", "x=interval(0,1)"], context, print)
            pretended = PretendedExecutor(value)
            one._executor = lambda: pretended
            return one.run(), pretended

    return run


def test_the_line_of_a_finished_search_starts_nothing_and_shows_its_summary(search, tmp_path, capsys):
    assert search()[1].prepared
    capsys.readouterr()
    best, executor = search()
    assert not executor.prepared and not executor.jobs
    out = capsys.readouterr().out
    assert f": {best:.6g}; see" in out and "starting" not in out


def test_a_search_runs_its_trials_and_leaves_what_they_came_to(search, tmp_path, capsys):
    best, executor = search()
    sweep = open_sweep(tmp_path / "study")
    values = [trial.value for trial in sweep.trials()]
    assert values[0] == 0.5  # the configuration as it stands
    assert len(values) == 4
    assert max(values) < 2 / 2.5
    assert best == min(values)
    assert [job.number for job in executor.jobs] == [0, 1, 1, 2, 3]
    for job in executor.jobs:
        assert {"--config-name=app", "y=2", "epochs=7"} < set(job.arguments)
        assert any(
            word.startswith("hydra.run.dir=") and f"{tmp_path}/study/{job.number}" in word for word in job.arguments
        )
    resumed = [[word for word in job.arguments if word.startswith("resume=")] for job in executor.jobs]
    assert [len(words) for words in resumed] == [0, 0, 1, 0, 0]
    assert str(tmp_path / "study/1") in resumed[2][0]
    record = sweep.record
    assert (record.study, record.direction, record.trials, record.rungs) == ("app", "minimize", 4, [])
    assert (record.program, record.fixed, record.flags) == ("/bin/some-app", ["y=2"], ["--config-name=app"])
    assert record.storage == str(tmp_path / "study/journal.log")
    out = capsys.readouterr().out
    assert "study       app: 4 trials\n" in out
    assert "space       x\n" in out
    assert f"best        trial {values.index(best)}: {best:.6g}; see" in out
    assert "run it with some-app --config-dir=" in out
    assert {path.name for path in (tmp_path / "study").iterdir()} >= {
        "best.yaml",
        "summary.md",
        "trials.csv",
        "sweep.json",
    }


def test_a_search_goes_on_where_it_was(search, tmp_path):
    search()
    best, second = search("hydra.sweeper.n_trials=6")
    assert [job.number for job in second.jobs] == [4, 5]
    assert best == min(trial.value for trial in open_sweep(tmp_path / "study").trials())


def test_what_a_gaussian_process_draws_at_random_is_said(search, capsys):
    space = "+hydra.sweeper.params.z={sweep: 'choice(2,3)', when: 'y > 1'}"
    search("hydra/sweeper/sampler=gp", space)
    assert "sampler     gp draws z at random, searched under a condition;" in capsys.readouterr().out


CALLS = []


def kept(folder, best):
    CALLS.append((folder, best))


def broken(folder, best):
    raise OSError("no\x1b net")


def test_a_function_of_the_users_is_called_at_the_end(search, tmp_path, monkeypatch):
    module = ModuleType("functions_at_the_end")
    module.kept = kept
    monkeypatch.setitem(sys.modules, module.__name__, module)
    CALLS.clear()
    best, _ = search(f"hydra.sweeper.on_end={module.__name__}:kept")
    values = [trial.value for trial in open_sweep(tmp_path / "study").trials()]
    assert [(tmp_path / "study", values.index(best))] == CALLS


def test_a_function_that_fails_does_not_fail_the_sweep(search, monkeypatch, capsys):
    module = ModuleType("functions_at_the_end")
    module.broken = broken
    monkeypatch.setitem(sys.modules, module.__name__, module)
    best, _ = search(f"hydra.sweeper.on_end={module.__name__}:broken")
    assert best is not None
    err = " ".join(capsys.readouterr().err.split())
    assert "hydra.sweeper.on_end failed, which changes no result: OSError: no\\x1b net" in err


@pytest.mark.parametrize("name", ["no_such_module:f", "json:no_such_function", "json", "json:__name__"])
def test_a_function_that_is_not_there_is_refused_before_the_first_trial(search, tmp_path, name):
    with pytest.raises(UsageError, match=rf"^hydra.sweeper.on_end={name}: no"):
        search(f"hydra.sweeper.on_end={name}")
    assert not (tmp_path / "study").exists()
