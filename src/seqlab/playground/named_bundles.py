"""Where the models lie that a page plays with, and how it calls them. Torch is not imported: what it prints, it prints
at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from seqlab.folders import BUNDLE, bundle_folder, bundles_inside, find_bundle
from seqlab.hub_models import PREFIX, HubAddress, fetched


def named_bundles(locations: Sequence[str | Path]) -> dict[str, Path]:
    """The folders of runs and bundles, on this machine or on the hub, and of all that are in a folder that is neither,
    by short names. One that is named in several ways is there once.

    Raises:
        InputError: there is no model.
    """
    found = {_place(*each): each for location in locations for each in _located(location)}
    folders, names = zip(*found.values(), strict=True)
    return dict(zip(_names(names), folders, strict=True))


def _located(location: str | Path) -> list[tuple[Path, Path]]:
    """The runs and bundles at a location, each with the path that names it: on the hub that of the repository."""
    if isinstance(location, str) and location.startswith(PREFIX):
        address = HubAddress.of(location)
        return [(fetched(address), Path(str(address).removeprefix(PREFIX)))]
    folders = _runs_and_bundles(Path(location))
    return [(folder, (folder.parent if folder.name == BUNDLE else folder).absolute()) for folder in folders]


def _place(folder: Path, name: Path) -> Path:
    """What two ways of naming a bundle share: on this machine the run's folder, since a bundle may be a link."""
    return name.resolve() if name.is_absolute() else folder


def _runs_and_bundles(path: Path) -> list[Path]:
    if path.is_dir() and find_bundle(path) is None and (found := bundles_inside(path)):
        return found
    bundle_folder(path)  # raises an error if there is none
    return [path]


def _names(paths: Sequence[Path]) -> list[str]:
    """Short names that tell paths apart: the last part of each, or more of it where that is not enough."""
    parts = [path.parts for path in paths]
    names = [""] * len(paths)
    for count in range(1, max(map(len, parts)) + 1):
        now = ["/".join(one[-count:]) for one in parts]
        once = {name for name, times in Counter(now).items() if times == 1}
        names = [name or (new if new in once else "") for name, new in zip(names, now, strict=True)]
    return names
