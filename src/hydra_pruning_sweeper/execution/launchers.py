"""Running trials with one of Hydra's launchers (joblib, submitit, Ray): one job per call, one thread per slot."""

from __future__ import annotations

import contextlib
import copy
import os
import queue
import signal
import threading
import time
from concurrent.futures import BrokenExecutor
from pathlib import Path

from hydra.core.plugins import Plugins
from hydra.core.utils import JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from hydra_pruning_sweeper.errors import ExecutionError, InterruptionError, UsageError
from hydra_pruning_sweeper.execution.executor import Executor, Job, JobEnd
from hydra_pruning_sweeper.quoting import quoted
from hydra_pruning_sweeper.study.lease import is_running, machine
from hydra_pruning_sweeper.trial.context import record_end
from hydra_pruning_sweeper.trial.events import TrialEvents

KILLED = ("UncompletedJobError", "WorkerCrashedError")  # what submitit and Ray raise when a process was killed
NOT_LAUNCHED = ("hydra.run.dir=", "++hydra.callbacks.", "--")  # arguments that Hydra sets by itself for a launched job


class LauncherExecutor(Executor):
    """Runs each job with the launcher that `config` names.

    A job gets its environment by overrides, since its process may be on any machine. Launchers cannot end a job: one
    on this machine is sent signals directly, one on another machine runs until it ends by itself.
    """

    def __init__(self, config: DictConfig, context: HydraContext, task: TaskFunction, slots: int) -> None:
        self.config, self.context, self.task = copy.deepcopy(config), context, task
        self._ended: queue.Queue[JobEnd] = queue.Queue()
        self._folders: dict[int, Path] = {}
        if "n_jobs" in config.hydra.launcher:  # joblib runs a single job within this process, which has threads
            OmegaConf.update(self.config, "hydra.launcher.n_jobs", max(2, slots))
        if "ray" in config.hydra.launcher:
            # Ray would restart a killed job from the beginning, which the sweep continues.
            OmegaConf.update(self.config, "hydra.launcher.ray.remote.max_retries", 0, force_add=True)

    def prepare(self) -> None:
        """Starts Ray, if that is the launcher: once, before several threads do."""
        if "ray" in self.config.hydra.launcher:
            self._launcher().launch([], initial_job_idx=0)

    def start(self, job: Job) -> int | None:
        """Starts a thread that waits for the job."""
        self._folders[job.number] = job.folder
        threading.Thread(target=self._launch, args=(job,), daemon=True).start()
        return None

    def _launcher(self) -> Launcher:
        return Plugins.instance().instantiate_launcher(self.context, self.task, self.config)

    def _launch(self, job: Job) -> None:
        """Runs a job, records what it returned, and queues its end."""
        try:
            launcher = self._launcher()
            overrides = [one for one in job.arguments if not one.startswith(NOT_LAUNCHED)]
            overrides += [f"++hydra.job.env_set.{name}={quoted(value)}" for name, value in job.environment.items()]
            overrides += [
                f"hydra.sweep.dir={quoted(str(job.folder.resolve().parent))}",
                "hydra.sweep.subdir=${hydra:job.num}",
            ]
            (done,) = launcher.launch([overrides], initial_job_idx=job.number)
            if done.status == JobStatus.COMPLETED:
                record_end(done.return_value, job.environment)
                self._ended.put(JobEnd(job.number, 0))
            else:
                error = done._return_value
                stopped = isinstance(error, InterruptionError)
                self._ended.put(JobEnd(job.number, InterruptionError.exit_code if stopped else 1, _one_line(error)))
        except BaseException as error:  # whatever happens in a launcher, the slot must become free
            code = None if _was_killed(error) else 1
            self._ended.put(JobEnd(job.number, code, _one_line(error)))

    def wait(self, seconds: float) -> list[JobEnd]:
        """The jobs that have ended."""
        end = time.monotonic() + seconds
        ended: list[JobEnd] = []
        while not ended or not self._ended.empty():
            try:
                ended.append(self._ended.get(timeout=max(0.0, end - time.monotonic())))
            except queue.Empty:
                break
        return ended

    def signal(self, number: int, sign: signal.Signals) -> None:
        """Sends a signal to the job's process, if that has started on this machine."""
        process = TrialEvents(self._folders[number]).read().process
        if process is None:
            return
        host, pid, start = process
        if host == machine() and is_running(pid, start):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sign)

    def close(self) -> None:
        """Does nothing: threads end with the process."""


def _was_killed(error: BaseException) -> bool:
    """Whether a launcher's exception means that a process died: joblib's pool raises `BrokenExecutor`."""
    return isinstance(error, BrokenExecutor) or type(error).__name__ in KILLED


def _one_line(error: BaseException) -> str:
    """An error in one line, as a command prints it."""
    text = " ".join(str(error).split())
    return text if isinstance(error, (UsageError, ExecutionError)) else f"{type(error).__name__}: {text}"
