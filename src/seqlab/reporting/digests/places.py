"""Settings and commands without the folders of a machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import regex

_ABSOLUTE = regex.compile(r"(?<![\w.…:}$/])(?:~|/[^\s,'\"\]})/]+)/(?:[^\s,'\"\]})/]+/)*")
_REFERENCE = regex.compile(r"\$\{([\w.@]+)\}")


def without_machine(content: Any) -> Any:
    """`content` with "…/" for the folders of every absolute path in its strings."""
    if isinstance(content, dict):
        return {key: without_machine(value) for key, value in content.items()}
    if isinstance(content, list):
        return [without_machine(value) for value in content]
    return _ABSOLUTE.sub("…/", content) if isinstance(content, str) else content


def resolved(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings with what they refer to among themselves (`${optimizer.lr}`) in its place.

    What comes from outside (`${oc.env:…}`, `${hydra:…}`) stays as it is written: it differs between machines.
    """
    return {key: _resolved(value, settings, ()) for key, value in settings.items()}


def _resolved(value: Any, settings: dict[str, Any], seen: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        return {key: _resolved(one, settings, seen) for key, one in value.items()}
    if isinstance(value, list):
        return [_resolved(one, settings, seen) for one in value]
    if not isinstance(value, str):
        return value
    if (whole := _REFERENCE.fullmatch(value)) is not None:
        return _referred(whole[1], value, settings, seen)
    return _REFERENCE.sub(lambda found: str(_referred(found[1], found[0], settings, seen)), value)


def _referred(path: str, written: str, settings: dict[str, Any], seen: tuple[str, ...]) -> Any:
    found: Any = settings
    for key in path.split("."):
        if not isinstance(found, dict) or key not in found:
            return written
        found = found[key]
    return written if path in seen else _resolved(found, settings, (*seen, path))


def shown(folder: Path) -> str:
    """A folder as one would type it from here; of one that lies elsewhere its last two names."""
    folder = folder.resolve()
    here = Path.cwd()
    if folder.is_relative_to(here):
        return folder.relative_to(here).as_posix()
    return "/".join(("…", *folder.parts[-2:]))
