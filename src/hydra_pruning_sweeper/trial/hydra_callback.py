"""Hydra's callback by which a trial's result reaches the sweep, whichever launcher started it."""

import os
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback

from hydra_pruning_sweeper.trial.context import record_end


class TrialResult(Callback):
    """Records what the task function returned; does nothing outside of a sweep."""

    def on_job_end(self, config: Any, job_return: JobReturn, **kwargs: Any) -> None:
        """Records it if the task has completed; in a distributed run, only on the first process."""
        first = os.environ.get("LOCAL_RANK", "0") == os.environ.get("NODE_RANK", "0") == "0"
        if first and job_return.status == JobStatus.COMPLETED:
            record_end(job_return.return_value)
