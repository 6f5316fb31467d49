"""Puts a bundle and its model card on the Hugging Face hub, in one commit."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hydra_pruning_sweeper.messages import labelled
from seqlab.config.bundle_settings import PublishSettings
from seqlab.errors import InputError
from seqlab.folders import BUNDLE_FILES, replaced_folder
from seqlab.hub_models import LOG_IN, HubAddress, hub_errors, published_card
from seqlab.inference.bundle import check_files
from seqlab.runs.anonymise import text_without_machine
from seqlab.version import __version__

CARD = "README.md"
OF_THE_HUB = {".gitattributes"}
"""Files that the hub itself puts into a new repository."""


def publish(settings: PublishSettings) -> None:
    """Uploads the files of a bundle, or with `dry_run` writes them into a folder; prints where they are.

    Raises:
        InputError: no bundle there, no token, a repository with something else in it, or the hub refuses.
    """
    check_files(settings.run)
    if settings.dry_run:
        folder = _written(settings)
        print(labelled("written", f"{folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}"))
        print(labelled("to publish", f"the same line without dry_run=true makes {HubAddress(settings.repo)} of it"))
        return
    with tempfile.TemporaryDirectory(prefix="seqlab-publish-") as name:
        _write(Path(name), settings)
        page, commit = _uploaded(Path(name), settings.repo)
    address = HubAddress(settings.repo)
    print(labelled("published", page))
    print(labelled("predict", f"seqlab-predict run={address} input=FILE"))
    print(labelled("in Python", f'seqlab.load("{address}")'))
    print(labelled("this state", str(HubAddress(settings.repo, commit))))


def _written(settings: PublishSettings) -> Path:
    """The folder of a dry run, written as a whole."""
    folder = settings.folder / settings.repo
    if folder.is_dir() and (others := sorted({path.name for path in folder.iterdir()} - {*BUNDLE_FILES})):
        raise InputError(f"{folder}: holds other files ({others[0]}); choose another folder=…")
    with replaced_folder(folder) as new:
        _write(new, settings)
    return folder


def _write(folder: Path, settings: PublishSettings) -> None:
    """Writes what is uploaded: the files of the bundle, and its card as it holds on the hub, without folders of this
    machine.
    """
    for name in BUNDLE_FILES:
        path = settings.run / name
        if name == CARD and path.is_file():
            card = text_without_machine(path.read_text(encoding="utf-8"))
            (folder / name).write_text(published_card(card, settings.repo), encoding="utf-8")
        elif path.is_file():
            shutil.copyfile(path, folder / name)


def _uploaded(folder: Path, repo: str) -> tuple[str, str]:
    """Uploads the files of a folder in one commit; returns the address of the repository's page, and the commit."""
    what = f"repo={repo}"
    with hub_errors(what):
        import huggingface_hub as hub

        if hub.get_token() is None:
            raise InputError(f"{what}: publishing needs a token with write access; {LOG_IN}")
        api = hub.HfApi(library_name="seqlab", library_version=__version__)
        page = api.create_repo(repo, exist_ok=True)
        others = sorted(set(api.list_repo_files(repo)) - {*BUNDLE_FILES, *OF_THE_HUB})
        if others:
            raise InputError(f"{what}: this repository holds something else ({others[0]}); choose another name")
        files = [hub.CommitOperationAdd(path.name, path) for path in sorted(folder.iterdir())]
        commit = api.create_commit(repo, files, commit_message=f"A model trained by seqlab {__version__}")
    return str(page), commit.oid
