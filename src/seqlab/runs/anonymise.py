"""Settings, commands and texts without the folders of a machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import regex

from hydra_pruning_sweeper.quoting import typed_path

_NAME = r"""(?! )(?:\([^()/\n]*\)|\\[^/\n]|(?<=\w)(?:'|'"'"')(?=\w)|[^\s,'"\]})/]| (?![\s/]))++"""
"""The name of a folder. Spaces, pairs of parentheses, apostrophes and what a backslash escapes are parts of it."""
_SOMEONES_HOME = r"""(?<=^|[=:,\[({]\s*['"]*)~[^\W\d][\w.-]*"""
"""As in `data.path=~anna/x.tsv`. After a quotation mark alone it may be a setting that is removed: `'~model/small'`."""
_ROOT = r"(?!(?<=(?<!file):)///?[^/])/+"
"""Not the slashes before a URL's host, or before a relative path as in `sqlite:///outputs/x.db`."""
_ABSOLUTE = regex.compile(rf"(?<![\w.…}}$/])(?:(?:~|{_SOMEONES_HOME})/+|{_ROOT}{_NAME}/+)(?:{_NAME}/+)*")
_WORD = regex.compile(r"""(?:(?<!\w)(['"])[^\n]*?\1|\S)++""")
"""A word of a command line, with white space where it is in quotation marks."""
_REFERENCE = regex.compile(r"\$\{([\w.@]+)\}")

MOST_REFERENCES, LONGEST = 10_000, 10_000
"""How many references are resolved, and how many characters one may resolve to. Settings that refer to each other
twice per level would grow exponentially."""


def without_machine(content: Any) -> Any:
    """Settings with "…/" in place of the folders of every absolute path in them."""
    if isinstance(content, dict):
        return {key: without_machine(value) for key, value in content.items()}
    if isinstance(content, list):
        return [without_machine(value) for value in content]
    return _ABSOLUTE.sub("…/", content) if isinstance(content, str) else content


def text_without_machine(text: str) -> str:
    """The same for a text or a command line, where names of folders have spaces only in quotation marks."""
    return _WORD.sub(lambda word: _ABSOLUTE.sub("…/", word[0]), text)


def resolved(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with the references among them (`${optimizer.lr}`) replaced by the values.

    Values from outside (`${oc.env:…}`, `${hydra:…}`) stay as they are written: they differ between machines.
    """
    return dict(_Resolver(settings).resolved(dict(settings), ()))


class _Resolver:
    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings, self.left = settings, MOST_REFERENCES

    def resolved(self, value: Any, seen: tuple[str, ...]) -> Any:
        if isinstance(value, dict):
            return {key: self.resolved(one, seen) for key, one in value.items()}
        if isinstance(value, list):
            return [self.resolved(one, seen) for one in value]
        if not isinstance(value, str):
            return value
        if (whole := _REFERENCE.fullmatch(value)) is not None:
            return self._referred(whole[1], value, seen)
        return _REFERENCE.sub(lambda match: str(self._referred(match[1], match[0], seen)), value)

    def _referred(self, path: str, written: str, seen: tuple[str, ...]) -> Any:
        setting: Any = self.settings
        for key in path.split("."):
            if not isinstance(setting, Mapping) or key not in setting:
                return written
            setting = setting[key]
        self.left -= 1
        if path in seen or self.left < 0:
            return written
        value = self.resolved(setting, (*seen, path))
        return written if isinstance(value, str) and len(value) > LONGEST else value


def shown(folder: Path) -> str:
    """A folder as one would type it in the working directory; only its last two names if it lies elsewhere."""
    typed = typed_path(folder.resolve())
    return "/".join(("…", *typed.parts[-2:])) if typed.is_absolute() else typed.as_posix()
