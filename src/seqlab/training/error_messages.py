"""What a user reads when training or measuring cannot go on."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.fabric.utilities.exceptions import MisconfigurationException

from seqlab.errors import InputError, StoppedError
from seqlab.out_of_memory import memory_errors
from seqlab.training.callbacks.checkpoints import Interrupted

UNFIT = ("in loading state_dict", "loaded state dict")
"""What torch says of a model and an optimizer that are not those of the checkpoint."""


@contextmanager
def explained(
    batch_sizes: Mapping[str, Any], resume: str | None = None, resumable: Path | None = None
) -> Iterator[None]:
    """Turns what torch and Lightning raise into a line that says what to do.

    Args:
        batch_sizes: the settings to lower when memory runs out, by the names that a user types.
        resume: the run that this one goes on from, as it was typed.
        resumable: the run's folder; from its first checkpoint on it can be resumed.

    Raises:
        InputError: Lightning refuses a setting, or a run is resumed with settings that its checkpoint does not fit.
        RunError: memory has run out.
        StoppedError: Ctrl-C or SIGTERM.
    """
    try:
        with memory_errors(batch_sizes):
            yield
    except Interrupted:
        raise _stopped(resumable) from None
    except SystemExit as stop:
        # Lightning answers a Ctrl-C outside of training steps by leaving, without a word.
        if isinstance(stop.__context__, KeyboardInterrupt):
            raise _stopped(resumable) from None
        raise
    except MisconfigurationException as error:
        raise InputError(" ".join(str(error).split())) from error
    except KeyError as error:
        where = traceback.extract_tb(error.__traceback__)[-1].filename
        if resume is None or "optim" not in Path(where).parts:
            raise
        raise InputError(
            f"{resume}: what its optimizer kept in the checkpoint has no {error.args[0]!r}, which these settings"
            " need; leave the optimizer's as they were"
        ) from error
    except (RuntimeError, ValueError) as error:
        if resume is not None and any(words in str(error) for words in UNFIT):
            reason = " ".join(" ".join(str(error).split("\n")[:2]).split())
            raise InputError(f"{resume}: its checkpoint does not fit these settings ({reason})") from error
        raise


def _stopped(resumable: Path | None) -> StoppedError:
    if resumable is None or not (resumable / "checkpoints" / "last.ckpt").is_file():
        return StoppedError("stopped")
    return StoppedError(f"stopped; go on with: seqlab-train resume={resumable}")
