"""From Hydra's command line to a study, and how a sweep ends in an application of somebody else."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import OmegaConf

from hydra_plugins.pruning_sweeper.sweeper import PruningSweeper
from hydra_pruning_sweeper.errors import ExecutionError, UsageError
from hydra_pruning_sweeper.run_sweep import SweepRun
from hydra_pruning_sweeper.search_from_config import command_of_trials, settings_from, space_of
from hydra_pruning_sweeper.study.lease import Lease
from hydra_pruning_sweeper.study.shared_study import LeasedTrial
from hydra_pruning_sweeper.study.space import UNSET
from hydra_pruning_sweeper.study.sweeper_settings import SweeperSettings
from hydra_pruning_sweeper.study.trial_command import TrialCommand


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "stopped; the same line continues the search"),
        (UsageError("no\x1b good: postgresql://me:geheim@h/d"), 2, "error: no\\x1b good: postgresql://me:…@h/d"),
        (ExecutionError("all diverged"), 1, "error: all diverged"),
    ],
)
def test_an_application_that_knows_nothing_of_seqlab_ends_with_a_line(monkeypatch, capsys, error, code, said):
    def broken(*_):
        raise error

    monkeypatch.setattr("hydra_pruning_sweeper.run_sweep.SweepRun", broken)
    sweeper = PruningSweeper()
    sweeper.setup(hydra_context=object(), task_function=lambda config: None, config=OmegaConf.create())
    with pytest.raises(SystemExit) as stop:
        sweeper.sweep([])
    assert (stop.value.code, capsys.readouterr().err) == (code, f"{said}\n")


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"n_trial": 3}, r"hydra.sweeper.n_trial: no such setting; did you mean n_trials\?"),
        ({"direction": "up"}, r"direction must be minimize or maximize, but is up"),
        ({"max_silence": "long"}, r"max_silence must be a number above 0, or null, but is long"),
        ({"slots": 0}, r"slots must be at least 1, or auto, but is 0"),
        ({"slots": "many"}, r"slots must be at least 1, or auto, but is many"),
        ({"slots": True}, r"slots must be at least 1, or auto, but is True"),
        ({"slots": 1.5}, r"slots must be at least 1, or auto, but is 1.5"),
        ({"gpus": 0}, r"gpus must be at least 1, but is 0"),
        ({"resume_from": "file"}, r"resume_from must be folder or checkpoint, but is file"),
    ],
)
def test_settings_that_there_are_not_are_refused(changed, match):
    with pytest.raises(UsageError, match=match):
        settings_from(hydra_of(changed))


def hydra_of(sweeper, launcher="hydra._internal.core_plugins.basic_launcher.BasicLauncher"):
    return OmegaConf.create(
        {
            "hydra": {
                "job": {"name": "app"},
                "sweeper": {**vars(SweeperSettings()), **sweeper},
                "launcher": {"_target_": launcher},
            }
        }
    )


def test_only_trials_on_this_machine_are_measured():
    assert settings_from(hydra_of({"slots": "auto"})).slots == "auto"
    assert settings_from(hydra_of({"slots": 2}, "ray.Launcher")).slots == 2
    with pytest.raises(UsageError, match="slots=auto measures trials on this machine; type a number for a launcher"):
        settings_from(hydra_of({"slots": "auto"}, "ray.Launcher"))


@pytest.mark.parametrize(("threads", "cores", "slots_cores"), [(None, 8, 8), (2, 8, 4), (16, 8, 1)])
def test_measured_slots_share_the_cores(monkeypatch, threads, cores, slots_cores):
    monkeypatch.setattr("hydra_pruning_sweeper.run_sweep.available_cores", lambda: cores)
    sweep = SweepRun.__new__(SweepRun)
    sweep.settings = SweeperSettings(slots="auto", threads=threads, n_trials=5)
    policy = sweep._slots(gpus=1).policy
    assert (policy.cores, policy.gpus, policy.most, sweep._threads()) == (slots_cores, 1, 5, threads or 1)
    sweep.settings = SweeperSettings(slots=2)
    assert sweep._slots(gpus=1).allowed() == 2


@pytest.mark.parametrize("name", ["it's", "a, b=[c]", "x\\'${y}", "two  spaces"])
def test_a_trial_runs_in_a_folder_of_any_name(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "last.ckpt").touch()
    sweep = SweepRun.__new__(SweepRun)
    sweep.config = OmegaConf.create({"hydra": {"launcher": {"_target_": "BasicLauncher"}}})
    sweep.settings = SweeperSettings(checkpoint="last.ckpt")
    leased = LeasedTrial(0, {}, TrialCommand(fixed=("a=1",)), Lease("me", "here", 1, None))
    parsed = OverridesParser.create().parse_overrides(sweep.arguments(leased, folder))
    values = {one.key_or_group: one.value() for one in parsed}
    assert (values["hydra.run.dir"], values["resume"], values["a"]) == (*[str(folder).replace("${", "\\${")] * 2, 1)


def test_what_is_typed_wins_over_what_the_search_gives_and_computes(monkeypatch):
    monkeypatch.setattr("sys.argv", ["seqlab-train", "-m"])
    own = SweeperSettings(
        trial=["measure=false", "free_running.every_n_epochs=0"],
        params={"factor": {"sweep": "choice(2,4)", "sets": {"model.width": "factor * 8"}}, "lr": "interval(0,1)"},
    )
    fixed = ["free_running.every_n_epochs=1", "model.width=64", "model=gru"]
    hydra = {
        "runtime": {"choices": {"model": "gru"}},
        "job": {"config_name": "train"},
        "mode": RunMode.MULTIRUN,
        "overrides": {
            "hydra": [
                "hydra.mode=MULTIRUN",
                "hydra.sweeper.storage=x",
                "hydra.searchpath=[a]",
                "+hydra.launcher.n_jobs=2",
            ]
        },
    }
    line = command_of_trials(OmegaConf.create({"hydra": hydra}), own, fixed)
    assert line.overrides == ["measure=false", *fixed, "hydra.searchpath=[a]"]
    assert line.groups == ("model",)
    assert line.mode == ""
    hydra["overrides"]["hydra"].remove("hydra.mode=MULTIRUN")  # which is then the configuration's own
    assert command_of_trials(OmegaConf.create({"hydra": hydra}), own, fixed).mode == "RUN"
    assert [one.name for one in space_of(own, fixed, [], lambda _: UNSET).parameters] == ["lr"]
