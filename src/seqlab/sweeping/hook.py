"""How a trial's process and result get from Hydra to the sweep, whatever started the trial."""

import os
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback

from seqlab.sweeping.handover import tell_end, tell_process


class TellResult(Callback):
    """Notes which process runs the task function, and what that returned; does nothing outside of a sweep."""

    def on_job_start(self, config: Any, **kwargs: Any) -> None:
        """Notes the process."""
        if _is_first():
            tell_process()

    def on_job_end(self, config: Any, job_return: JobReturn, **kwargs: Any) -> None:
        """Notes it, if the task came to its end; of the processes of a distributed run the first does."""
        if _is_first() and job_return.status == JobStatus.COMPLETED:
            tell_end(job_return.return_value)


def _is_first() -> bool:
    return os.environ.get("LOCAL_RANK", "0") == os.environ.get("NODE_RANK", "0") == "0"
