"""Claims as they are written down, each in a YAML file of its own: what is said, what is run, what must come out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqlab.config.plain import read, resolved
from seqlab.errors import InputError

FOLDER = Path(__file__).parent / "claims"
"""Not in `conf/`: a claim is no part of a run's configuration, and every folder there is a group of `seqlab-train`."""
PROFILES = ("cpu", "full")
"""cpu: settings cut down to what two cores do in an hour or two, all claims together. full: as published."""

ORDER = "RTCKGS"
"""In which claims are shown."""


@dataclass(frozen=True)
class Need:
    """A file that must be there, as a pattern, and how to get it."""

    path: str
    get: str

    def is_there(self) -> bool:
        """Whether some file fits the pattern."""
        path = Path(self.resolved())
        return any(path.parent.glob(path.name))

    def resolved(self) -> str:
        """The pattern with environment variables put in."""
        return str(resolved({"path": self.path}, "path"))


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but their seed.

    Args:
        label: its name among the claim's groups.
        title: what it is.
        words: what is typed after `seqlab-train`, but for the seed.
        seeds: a run each.
    """

    label: str
    title: str
    words: tuple[str, ...]
    seeds: tuple[int, ...]

    def arguments(self, seed: int) -> list[str]:
        """What is typed after `seqlab-train` for one of the runs."""
        return [*self.words, f"seed={seed}"]

    @property
    def command(self) -> str:
        """The line that runs them all."""
        several = ["-m"] if len(self.seeds) > 1 else []
        return shlex.join(["seqlab-train", *several, *self.words, f"seed={','.join(map(str, self.seeds))}"])


@dataclass(frozen=True)
class Criterion:
    """What must come out.

    Args:
        text: in words.
        rule: the function of `criteria` that decides it.
        arguments: the rule's.
        expected: what was published or asked for.
    """

    text: str
    rule: str
    arguments: Mapping[str, Any]
    expected: str = ""


@dataclass(frozen=True)
class Claim:
    """A claim under one profile.

    Args:
        name: short, its file's.
        title, text, source: what is claimed, and where.
        groups: what is run.
        criteria: what must come out, fixed before anything was measured.
        part_of: another claim with which this one is run.
        published: the published settings and figures, beside ours.
        needs: files that must be there.
        columns: figures that are shown of every group, with their heads.
        compared: pairs of groups whose difference is tested for significance.
        own_data: whether the data are seqlab's own, so that examples may be shown with the results.
        say: sources that a trained model is asked to translate.
    """

    name: str
    profile: str
    title: str
    text: str
    source: str
    groups: tuple[Group, ...]
    criteria: tuple[Criterion, ...]
    part_of: str | None = None
    published: Sequence[str] = ()
    needs: Sequence[Need] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    compared: Sequence[Sequence[str]] = ()
    own_data: bool = False
    say: Sequence[str] = ()

    def missing(self) -> list[Need]:
        """The files that are not there."""
        return [need for need in self.needs if not need.is_there()]


def read_claims(names: Sequence[str] | None = None, profile: str = "cpu", folder: Path = FOLDER) -> list[Claim]:
    """The claims of `folder` that are named, with those that are part of them; all without names.

    Raises:
        InputError: no such claim or profile, or a file that says something else than a claim.
    """
    if profile not in PROFILES:
        raise InputError(f"profile must be one of {', '.join(PROFILES)}, but is {profile!r}")
    claims = [read_claim(path, profile) for path in sorted(folder.glob("*.yaml"))]
    known = [claim.name for claim in claims]
    if unknown := [name for name in names or () if name not in known]:
        raise InputError(f"claims must be among {', '.join(known)}, but {unknown[0]!r} is not")
    return [claim for claim in claims if names is None or {claim.name, claim.part_of} & set(names)]


def read_claim(path: Path, profile: str) -> Claim:
    """The claim of a file.

    Raises:
        InputError: the file says something else; names it and what is wrong.
    """
    try:
        said: Any = read(path)
        return _claim(path.stem, profile, dict(said))
    except KeyError as error:
        raise InputError(f"{path}: {error.args[0]} is missing") from None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not a claim ({' '.join(str(error).split())})") from None


def _claim(name: str, profile: str, said: dict[str, Any]) -> Claim:
    groups = tuple(_group(label, profile, own) for label, own in said.pop("groups").items())
    criteria = tuple(_criterion(own) for own in said.pop("criteria"))
    needs = [Need(**own) for own in said.pop("needs", [])]
    title, text, source = (said.pop(key) for key in ("title", "text", "source"))
    return Claim(name, profile, title, text, source, groups, criteria, needs=needs, **said)


def _group(label: str, profile: str, said: dict[str, Any]) -> Group:
    words = " ".join(str(said[key]) for key in ("settings", profile) if said.get(key))
    return Group(label, said["title"], tuple(shlex.split(words)), tuple(said["seeds"][profile]))


def _criterion(said: dict[str, Any]) -> Criterion:
    rest = dict(said)
    text, rule, expected = rest.pop("text"), rest.pop("rule"), rest.pop("expected", "")
    return Criterion(text, rule, rest, expected)
