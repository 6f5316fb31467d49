"""What a launcher of Hydra's is given, and what its answers mean, without any process."""

import os
import signal
import subprocess
from concurrent.futures import BrokenExecutor
from types import SimpleNamespace

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import OmegaConf

from hydra_pruning_sweeper.errors import ExecutionError, InterruptionError, UsageError
from hydra_pruning_sweeper.execution.executor import Job, JobEnd
from hydra_pruning_sweeper.execution.launchers import LauncherExecutor
from hydra_pruning_sweeper.execution.slots import groups_of_gpus, slot_environment, visible_gpus
from hydra_pruning_sweeper.study.lease import machine, start_of
from hydra_pruning_sweeper.trial import hydra_callback
from hydra_pruning_sweeper.trial.context import TRIAL_VARIABLE, TrialContext
from hydra_pruning_sweeper.trial.events import TrialEvents


@pytest.fixture
def launched(monkeypatch, tmp_path):
    """Runs a job by a launcher that does `answer`; gives how it ended, and what the launcher was given."""

    def run(answer, arguments=("x=1",), launcher=None, slots=1, direction="minimize", **environment):
        given = []

        class Answering(Launcher):
            def setup(self, **more):
                pass

            def launch(self, job_overrides, initial_job_idx):
                given.append((job_overrides, initial_job_idx))
                if isinstance(answer, BaseException):
                    raise answer
                return [answer]

        def instantiate(context, task, config):
            assert isinstance(context, HydraContext)
            assert task is print
            given.append(config)
            return Answering()

        monkeypatch.setattr(Plugins.instance(), "instantiate_launcher", instantiate)
        config = OmegaConf.create({"hydra": {"launcher": launcher or {}}})
        one = LauncherExecutor(config, HydraContext(None, None), print, slots)
        one.prepare()
        context = TrialContext("s", None, folder=str(tmp_path / "7"), direction=direction)
        environment[TRIAL_VARIABLE] = str(context.write())
        assert one.start(Job(7, list(arguments), tmp_path / "7", environment)) is None
        ended = one.wait(30.0)
        assert config == OmegaConf.create({"hydra": {"launcher": launcher or {}}})  # the sweep's own stays as it is
        return one, ended, given

    return run


def returned(status, value):
    answer = JobReturn(status=status)
    answer.return_value = value
    return answer


def test_a_launcher_gets_the_line_the_variables_and_the_folder(launched, tmp_path):
    arguments = [
        "--config-dir=conf",
        "x=1",
        "hydra.run.dir='/a b'",
        "++hydra.callbacks.y=1",
        "hydra.job.name=z",
        "b=--c",
    ]
    _, ended, given = launched(returned(JobStatus.COMPLETED, 2), arguments, CARDS="a, b")
    (overrides,), number = given[-1]
    assert overrides[:3] == ["x=1", "hydra.job.name=z", "b=--c"]
    parsed = OverridesParser.create().parse_overrides(overrides[3:])
    assert [one.key_or_group for one in parsed] == [
        *("hydra.job.env_set.CARDS", f"hydra.job.env_set.{TRIAL_VARIABLE}", "hydra.sweep.dir", "hydra.sweep.subdir"),
    ]
    values = OmegaConf.create({"a": [one.value() for one in parsed[:3]]}).a
    assert list(values) == ["a, b", str(tmp_path / "7" / "trial.json"), str(tmp_path)]
    assert overrides[-1] == "hydra.sweep.subdir=${hydra:job.num}"
    assert number == 7
    assert ended == [JobEnd(7, 0)]
    progress = TrialEvents(tmp_path / "7").read()
    assert (progress.ended, progress.value) == (True, 2.0)


@pytest.mark.parametrize(
    ("launcher", "slots", "expected"),
    [
        ({"n_jobs": 5}, 1, {"n_jobs": 2}),  # one alone joblib would run in this process
        ({"n_jobs": 1}, 3, {"n_jobs": 3}),
        ({"timeout": 9}, 3, {"timeout": 9}),
        ({"ray": {"remote": {"num_cpus": 2}}}, 3, {"ray": {"remote": {"num_cpus": 2, "max_retries": 0}}}),
    ],
)
def test_launchers_leave_beginning_anew_and_waiting_to_the_sweep(launched, launcher, slots, expected):
    _, _, given = launched(returned(JobStatus.COMPLETED, 2), (), launcher, slots)
    assert given[-2].hydra.launcher == expected
    assert [jobs for jobs, _ in given[1::2]][:-1] == ([[]] if "ray" in launcher else [])


class UncompletedJobError(Exception):
    """As submitit's."""


class WorkerCrashedError(Exception):
    """As Ray's."""


@pytest.mark.parametrize(
    ("answer", "code", "error"),
    [
        (returned(JobStatus.FAILED, ValueError("two\n  lines")), 1, "ValueError: two lines"),
        (returned(JobStatus.FAILED, UsageError("no such file")), 1, "no such file"),
        (returned(JobStatus.FAILED, ExecutionError("diverged")), 1, "diverged"),
        (returned(JobStatus.FAILED, InterruptionError("by a signal")), InterruptionError.exit_code, None),
        (BrokenExecutor("gone"), None, "BrokenExecutor: gone"),
        (UncompletedJobError("gone"), None, "UncompletedJobError: gone"),
        (WorkerCrashedError("gone"), None, "WorkerCrashedError: gone"),
        (OSError("no queue"), 1, "OSError: no queue"),
    ],
)
def test_a_launchers_answer_says_how_a_job_ended(launched, tmp_path, answer, code, error):
    _, (ended,), _ = launched(answer)
    assert (ended.number, ended.code) == (7, code)
    assert ended.error == error or (error is None and "by a signal" in ended.error)
    assert not TrialEvents(tmp_path / "7").read().ended


@pytest.mark.parametrize(("value", "kept"), [(3, 3.0), (0.5, 0.5), (None, None), ("x", None)])
def test_only_a_number_is_a_value(launched, tmp_path, value, kept):
    launched(returned(JobStatus.COMPLETED, value))
    assert TrialEvents(tmp_path / "7").read().value == kept


@pytest.mark.parametrize(
    ("value", "kept", "problem"),
    [
        ({"loss": 0.5, "size": 7, "more": 1}, [0.5, 7.0], None),
        ((0.5, 7), [0.5, 7.0], None),
        (0.5, None, "the task must return 2 numbers, for loss, size, but returned 0.5"),
    ],
)
def test_of_several_objectives_each_has_its_value(launched, tmp_path, value, kept, problem):
    launched(returned(JobStatus.COMPLETED, value), direction={"loss": "minimize", "size": "minimize"})
    progress = TrialEvents(tmp_path / "7").read()
    assert (progress.value, progress.problem) == (kept, problem)


def test_a_signal_goes_to_a_process_that_has_begun_here(launched, tmp_path, monkeypatch):
    one, _, _ = launched(returned(JobStatus.COMPLETED, 2))
    sent = []
    monkeypatch.setattr(os, "kill", lambda *given: sent.append(given))
    one.signal(7, signal.SIGTERM)  # nobody knows the process yet
    own = os.getpid()
    for host, start in (("elsewhere", start_of(own)), (machine(), 1), (machine(), start_of(own))):
        TrialEvents(tmp_path / "7").add("process", host=host, pid=own, start=start)
        one.signal(7, signal.SIGTERM)
    assert sent == [(own, signal.SIGTERM)]
    assert one.wait(0.0) == []


@pytest.mark.parametrize(
    ("ranks", "status", "told"),
    [
        ({}, JobStatus.COMPLETED, [0.5]),
        ({"LOCAL_RANK": "0", "NODE_RANK": "0"}, JobStatus.COMPLETED, [0.5]),
        ({"LOCAL_RANK": "1"}, JobStatus.COMPLETED, []),
        ({"NODE_RANK": "1"}, JobStatus.COMPLETED, []),
        ({"LOCAL_RANK": "1", "NODE_RANK": "1"}, JobStatus.COMPLETED, []),
        ({}, JobStatus.FAILED, []),
    ],
)
def test_the_first_process_tells_what_a_task_came_to(monkeypatch, ranks, status, told):
    for name in ("LOCAL_RANK", "NODE_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, rank in ranks.items():
        monkeypatch.setenv(name, rank)
    kept = []
    monkeypatch.setattr(hydra_callback, "record_end", kept.append)
    answer = returned(status, 0.5 if status == JobStatus.COMPLETED else ValueError("no"))
    hydra_callback.TrialResult().on_job_end(None, answer)
    assert kept == told


def test_cards_are_those_that_may_be_used(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,,5")
    assert visible_gpus() == ["3", "5"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert visible_gpus() == []
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    listed = "GPU 0: a (UUID: x)\n  MIG 1g: y\nGPU 1: b (UUID: z)\n"
    monkeypatch.setattr(subprocess, "run", lambda *given, **more: SimpleNamespace(stdout=listed))
    assert visible_gpus() == ["0", "1"]

    def absent(*given, **more):
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "run", absent)
    assert visible_gpus() == []


@pytest.mark.parametrize(
    ("cards", "size", "groups"),
    [
        ([], 1, []),
        (["2", "5"], 1, ["2", "5"]),
        (["2", "5"], 2, ["2,5"]),
        (["0", "1", "2", "3", "4"], 2, ["0,1", "2,3"]),
    ],
)
def test_a_trial_gets_as_many_gpus_as_it_is_to_have(cards, size, groups):
    assert groups_of_gpus(cards, size) == groups
    shown = [slot_environment(slot, 1, groups).get("CUDA_VISIBLE_DEVICES") for slot in range(len(groups) + 1)]
    assert shown == ([*groups, groups[0]] if groups else [None])


@pytest.mark.parametrize(("cards", "named"), [([], "0 GPUs"), (["7"], "1 GPU")])
def test_more_gpus_than_there_are_are_refused(cards, named):
    with pytest.raises(UsageError, match=f"hydra.sweeper.gpus is 2, but {named} can be used here"):
        groups_of_gpus(cards, 2)
