"""Models on the Hugging Face hub: `hf://USER/NAME` or `hf://USER/NAME@REVISION` in place of a bundle's folder.

Only the files of a bundle are fetched, all of one commit, and they are read as those of any bundle from elsewhere:
nothing in them runs. `huggingface_hub` keeps them, so that a second use works without a network.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hydra_pruning_sweeper.messages import printable
from seqlab.errors import InputError
from seqlab.extras import not_installed
from seqlab.folders import BUNDLE_FILES, NEEDED_FILES, bundle_folder

PREFIX = "hf://"
_NAME = r"[A-Za-z0-9_](?:[\w.-]{0,94}[A-Za-z0-9_])?"
_REPO = re.compile(f"{_NAME}/{_NAME}", re.ASCII)
_REVISION = re.compile(r"[\w][\w./-]*", re.ASCII)
FOLDER, EXPLAINED = "run=FOLDER", " (FOLDER is the folder of this file)"
"""How a model card names its bundle, and what it says of that name."""
LOG_IN = "type `hf auth login`, or set HF_TOKEN to a token of https://huggingface.co/settings/tokens"


@dataclass(frozen=True)
class HubAddress:
    """A repository of the hub, and a branch, tag or commit of it (None: the newest)."""

    repo: str
    revision: str | None = None

    def __str__(self) -> str:
        return f"{PREFIX}{self.repo}" + (f"@{self.revision}" if self.revision else "")

    @classmethod
    def of(cls, location: str) -> HubAddress:
        """The address that a user typed.

        Raises:
            InputError: it is not hf://USER/NAME or hf://USER/NAME@REVISION.
        """
        repo, at, revision = location.removeprefix(PREFIX).partition("@")
        if at and (_REVISION.fullmatch(revision) is None or ".." in revision):
            raise InputError(f"{printable(location)}: the revision must be a branch, a tag or a commit")
        return cls(cls.of_repo(repo, location).repo, revision or None)

    @classmethod
    def of_repo(cls, repo: str, named: str) -> HubAddress:
        """A repository of this name.

        Args:
            named: the setting or the address with it in it, for the message.

        Raises:
            InputError: the hub has no such names.
        """
        if _REPO.fullmatch(repo) is None or ".." in repo or "--" in repo:
            raise InputError(f"{printable(named)}: expected USER/NAME, but found {printable(repo)!r}")
        return cls(repo)


def published_card(card: str, repo: str) -> str:
    """A model card as it holds on the hub: its commands name the repository in place of a folder."""
    return card.replace(EXPLAINED, "").replace(FOLDER, f"run={HubAddress(repo)}")


def check_location(location: str) -> None:
    """Checks, without a network, that there may be a bundle at a location: a folder, or an address on the hub.

    Raises:
        InputError: the folder holds none, or the address is none.
    """
    if location.startswith(PREFIX):
        HubAddress.of(location)
    else:
        bundle_folder(Path(location))


def local_copy(location: str | Path) -> Path:
    """The folder of a location; what lies on the hub is fetched.

    Raises:
        InputError: it cannot be fetched, or is no bundle.
    """
    if isinstance(location, str) and location.startswith(PREFIX):
        return fetched(HubAddress.of(location))
    return Path(location)


def fetched(address: HubAddress) -> Path:
    """The folder into which `huggingface_hub` fetched a bundle, or had fetched it before where there is no network.

    Raises:
        InputError: the hub cannot be reached, has no such repository or revision, or has no bundle in it.
    """
    with hub_errors(str(address)):
        import huggingface_hub

        folder = Path(
            huggingface_hub.snapshot_download(
                address.repo, revision=address.revision, allow_patterns=list(BUNDLE_FILES), library_name="seqlab"
            )
        )
    if missing := [name for name in NEEDED_FILES if not (folder / name).is_file()]:
        raise InputError(f"{address}: no bundle of seqlab there: it has no {', no '.join(missing)}")
    return folder


@contextlib.contextmanager
def hub_errors(what: str) -> Iterator[None]:
    """Turns what `huggingface_hub` raises into one line.

    Args:
        what: the address or setting that the line begins with.

    Raises:
        InputError: the library is not installed, or what it did failed.
    """
    try:
        from huggingface_hub import errors, logging
        from huggingface_hub.utils.tqdm import disable_progress_bars
    except ModuleNotFoundError as error:
        raise not_installed(error, what) or error from None
    logging.set_verbosity_error()  # it would advise in several lines, beside our one
    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        yield
    except InputError:
        raise
    except errors.GatedRepoError:
        raise InputError(f"{what}: its owner has to grant you access, on its page on the hub; then {LOG_IN}") from None
    except errors.RepositoryNotFoundError:
        raise InputError(f"{what}: the hub has no such repository, or a private one: for that, {LOG_IN}") from None
    except errors.RevisionNotFoundError:
        raise InputError(f"{what}: the repository has no such branch, tag or commit") from None
    except errors.HfHubHTTPError as error:
        raise InputError(f"{what}: {_refusal(error.response.status_code, error.server_message)}") from None
    except Exception as error:
        raise InputError(f"{what}: {_other_reason(error)}") from None


def _refusal(status: int, said: str | None) -> str:
    """Why the hub refused, by its status and what it said itself."""
    reason = f" ({printable(' '.join(said.split())[:200])})" if said else ""
    if status == 401:
        return f"the hub does not accept the token{reason}; {LOG_IN}"
    if status == 403:
        return f"the token may not do this{reason}; it needs write access to repositories of that owner"
    if status >= 500 or status == 429:
        return f"the hub does not answer now (status {status}){reason}; type the same again later"
    return f"the hub refused it (status {status}){reason}"


def _other_reason(error: BaseException) -> str:
    """Why something failed without an answer of the hub."""
    cause: BaseException | None = error
    while cause is not None:
        # Which library of these speaks HTTP depends on the version of huggingface_hub.
        if type(cause).__module__.partition(".")[0] in ("httpx2", "httpx", "requests") or isinstance(
            cause, ConnectionError | TimeoutError
        ):
            return "the Hugging Face hub cannot be reached; with a network, type the same again"
        cause = cause.__cause__
    return printable(" ".join(str(error).split())[:300]) or type(error).__name__
