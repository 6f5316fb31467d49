"""One-line messages for errors that stop training or evaluation."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.fabric.utilities.exceptions import MisconfigurationException

from seqlab.errors import InputError, StoppedError
from seqlab.folders import CHECKPOINT
from seqlab.out_of_memory import memory_errors
from seqlab.training.callbacks.checkpoints import Interrupted

MISMATCH = ("in loading state_dict", "loaded state dict")
"""Parts of torch's messages when the checkpoint's state does not fit the model or the optimizer."""


@contextmanager
def readable_errors(
    batch_sizes: Mapping[str, Any], resume: str | None = None, resumable: Path | None = None
) -> Iterator[None]:
    """Turns errors of torch and Lightning into one line that says what to do.

    Args:
        batch_sizes: the settings to lower when memory runs out, by the names that a user types.
        resume: the folder of the run to resume, as the user typed it.
        resumable: this run's folder: the message names it once there is a checkpoint to resume from.

    Raises:
        InputError: Lightning refuses a setting, or the checkpoint does not fit the settings of the resumed run.
        RunError: memory has run out.
        StoppedError: Ctrl-C or SIGTERM.
    """
    try:
        with memory_errors(batch_sizes):
            yield
    except (Interrupted, KeyboardInterrupt):
        raise _stopped(resumable) from None
    except SystemExit as stop:
        # Lightning turns a Ctrl-C outside of training steps into a silent exit.
        if isinstance(stop.__context__, KeyboardInterrupt):
            raise _stopped(resumable) from None
        raise
    except MisconfigurationException as error:
        raise InputError(" ".join(str(error).split())) from error
    except KeyError as error:
        if resume is None or "optim" not in _raised_in(error).parts:
            raise
        raise InputError(
            f"{resume}: the optimizer's state in its checkpoint has no {error.args[0]!r}, which these settings need;"
            " leave the settings of the optimizer as they were"
        ) from error
    except (RuntimeError, ValueError) as error:
        if resume is not None and any(words in str(error) for words in MISMATCH):
            reason = " ".join(" ".join(str(error).split("\n")[:2]).split())
            raise InputError(f"{resume}: its checkpoint does not fit these settings ({reason})") from error
        if isinstance(error, ValueError) and "lightning" in _raised_in(error).parts:
            raise InputError(" ".join(str(error).split())) from error
        raise


def _raised_in(error: Exception) -> Path:
    """The file whose code raised an error."""
    return Path(traceback.extract_tb(error.__traceback__)[-1].filename)


def _stopped(resumable: Path | None) -> StoppedError:
    if resumable is None or not (resumable / CHECKPOINT).is_file():
        return StoppedError("nothing is saved yet; the same line starts it again")
    return StoppedError(f"the run goes on with seqlab-train resume={resumable}")
