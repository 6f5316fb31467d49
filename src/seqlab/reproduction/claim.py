"""Claims, each in a YAML file of its own: what is claimed, what is run, and the criteria that decide."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqlab.config.plain import read, resolved
from seqlab.errors import InputError

FOLDER = Path(__file__).parent / "claims"
"""Not in `conf/`: a claim is no part of a run's configuration, and each folder of `conf/` is a group of settings."""
PROFILES = ("cpu", "full")
"""cpu: reduced settings, with which two cores run all claims but those on request in 90 minutes. full: as published."""
USUAL_PROFILE = PROFILES[0]
"""The profile that is not mentioned."""
ASIDE = "_aside"
"""What is added to the name of a folder of runs for those that were replaced there."""

ORDER = "RTCKGSMP"
"""The order in which claims are shown."""

NAME = "{name}"
"""In the label of a group that a file describes once for all entries of `for_each`: the name of an entry."""


@dataclass(frozen=True)
class Need:
    """A file that a claim needs, as a pattern, and how to get it."""

    path: str
    get: str

    def is_there(self) -> bool:
        """Whether some file matches the pattern."""
        path = Path(self.resolved())
        return any(path.parent.glob(path.name))

    def resolved(self) -> str:
        """The pattern with the values of environment variables."""
        return str(resolved({"path": self.path}, "path"))


@dataclass(frozen=True)
class GroupSearch:
    """The search that chooses settings of a group before its runs.

    Args:
        words: further arguments of `seqlab-train`, which set up the sweeper.
        space: what is searched: setting → sweep.
        trials: the number of trials.
    """

    words: tuple[str, ...]
    space: Mapping[str, str]
    trials: int


@dataclass(frozen=True)
class Group:
    """Runs that differ only in their seed.

    Args:
        label: the group's name within the claim.
        title: what the runs train.
        words: the arguments of `seqlab-train`, without the seed.
        seeds: one run per seed.
        search: the search whose best trial completes the words.
        chosen: the settings of that trial; None while there is none.
    """

    label: str
    title: str
    words: tuple[str, ...]
    seeds: tuple[int, ...]
    search: GroupSearch | None = None
    chosen: tuple[str, ...] | None = None

    @property
    def is_ready(self) -> bool:
        """Whether all arguments of the runs are known."""
        return self.search is None or self.chosen is not None

    @property
    def all_words(self) -> tuple[str, ...]:
        """The words, with what the search chose."""
        return (*self.words, *(self.chosen or ()))

    def arguments(self, seed: int) -> list[str]:
        """The arguments of `seqlab-train` for the run with this seed."""
        return [*self.all_words, f"seed={seed}"]

    @property
    def command(self) -> str:
        """The command that runs the whole group."""
        several = ["-m"] if len(self.seeds) > 1 else []
        return shlex.join(["seqlab-train", *several, *self.all_words, f"seed={','.join(map(str, self.seeds))}"])


@dataclass(frozen=True)
class Criterion:
    """What must be true of the results for a claim to hold.

    Args:
        text: the criterion in words.
        rule: the name of the rule in `criteria.RULES` that decides it.
        arguments: the arguments of the rule.
        expected: the result that was published, or that is required.
    """

    text: str
    rule: str
    arguments: Mapping[str, Any]
    expected: str = ""


@dataclass(frozen=True)
class Claim:
    """A claim under one profile.

    Args:
        name: a letter or a short word, the name of the claim's file.
        title, text, source: what is claimed, and where.
        groups: the runs.
        criteria: fixed before anything was measured.
        part_of: the name of another claim, with which this one is run.
        published: the published settings and figures, beside ours.
        needs: files that the runs need.
        columns: the figures that tables show for each group, and the heads of their columns.
        compared: pairs of groups whose difference is tested for significance.
        own_data: whether seqlab generates the data, so that examples may be committed with the results.
        say: source sentences that each trained model translates.
        on_request: whether the claim, with those that are part of it, is run only if it is named.
        profiles: those in which the claim can be run; in another one it has no groups.
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
    on_request: bool = False
    profiles: Sequence[str] = PROFILES

    @property
    def full_name(self) -> str:
        """The name with the title."""
        return f"{self.name} ({self.title})"

    def missing(self) -> list[Need]:
        """The files that are missing."""
        return [need for need in self.needs if not need.is_there()]


def with_profile(name: str, profile: str, form: str) -> str:
    """A name that depends on the profile: in the usual one the name itself, in another both, in a form like "{}_{}"."""
    return name if profile == USUAL_PROFILE else form.format(name, profile)


def read_claims(names: Sequence[str] | None = None, profile: str = USUAL_PROFILE, folder: Path = FOLDER) -> list[Claim]:
    """The claims of `folder` with these names, and those that are part of them; without names, all claims but those
    that are run only on request.

    Raises:
        InputError: no such claim or profile, or a file that is not a claim.
    """
    if profile not in PROFILES:
        raise InputError(f"profile must be one of {', '.join(PROFILES)}, but is {profile!r}")
    claims = [read_claim(path, profile) for path in sorted(folder.glob("*.yaml"))]
    known = {claim.name for claim in claims}
    if unknown := [name for name in names or () if name not in known]:
        listed = ", ".join(claim.full_name for claim in claims)
        raise InputError(f"claims must be among {listed}, but {unknown[0]!r} is not")
    if names is None:
        on_request = {claim.name for claim in claims if claim.on_request}
        return [claim for claim in claims if not {claim.name, claim.part_of} & on_request]
    return [claim for claim in claims if {claim.name, claim.part_of} & set(names)]


def read_claim(path: Path, profile: str) -> Claim:
    """The claim that a file describes.

    Raises:
        InputError: the file is not a claim; names the file and what is wrong with it.
    """
    try:
        content: Any = read(path)
        return _claim(path.stem, profile, dict(content))
    except KeyError as error:
        raise InputError(f"{path}: {error.args[0]} is missing") from None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not a claim ({' '.join(str(error).split())})") from None


def _claim(name: str, profile: str, content: dict[str, Any]) -> Claim:
    entries = content.pop("for_each", {})
    parts = content.pop("groups")
    if profile not in content.get("profiles", PROFILES):
        parts = {}
    entries = {key: one for key, one in entries.items() if profile in one.get("profiles", PROFILES)}
    # What is run for each entry stays together: one group of each kind, then those of the next entry.
    expanded = [_groups(label, profile, group, entries) for label, group in parts.items()]
    groups = tuple(group for some in itertools.zip_longest(*expanded) for group in some if group is not None)
    criteria = tuple(_criterion(criterion, profile) for criterion in content.pop("criteria"))
    needs = [Need(**need) for need in content.pop("needs", [])]
    title, text, source = (content.pop(key) for key in ("title", "text", "source"))
    return Claim(name, profile, title, text, source, groups, criteria, needs=needs, **content)


def _groups(label: str, profile: str, content: dict[str, Any], entries: Mapping[str, Any]) -> list[Group]:
    """The group that a part of a claim's file describes; one per entry of `for_each` if its label has `{name}`."""
    if NAME not in label:
        return [_group(label, profile, content, {})]
    return [
        _group(
            label.replace(NAME, name),
            profile,
            _filled(content, {NAME: name, **_placeholders(entry, profile)}),
            entry.get("space", {}).get(profile, {}),
        )
        for name, entry in entries.items()
    ]


def _placeholders(entry: Mapping[str, Any], profile: str) -> dict[str, str]:
    """What an entry of `for_each` puts in place of `{title}` and so on: a text, or one per profile."""
    values = {key: value for key, value in entry.items() if key not in ("space", "profiles")}
    return {f"{{{key}}}": _of_profile(value, profile) for key, value in values.items()}


def _of_profile(value: Any, profile: str) -> Any:
    """A value for both profiles, or what a mapping of the profiles has for this one."""
    return value[profile] if isinstance(value, Mapping) and profile in value else value


def _filled(content: Any, values: Mapping[str, str]) -> Any:
    """Plain data with placeholders replaced by their values in all texts."""
    if isinstance(content, Mapping):
        return {key: _filled(value, values) for key, value in content.items()}
    if isinstance(content, str):
        for placeholder, value in values.items():
            content = content.replace(placeholder, value)
    return content


def _group(label: str, profile: str, content: dict[str, Any], space: Mapping[str, str]) -> Group:
    search = _search(profile, content["search"], space) if "search" in content else None
    return Group(label, content["title"], _words(content, profile), tuple(content["seeds"][profile]), search)


def _search(profile: str, content: dict[str, Any], space: Mapping[str, str]) -> GroupSearch:
    return GroupSearch(_words(content, profile), {**content["space"], **space}, content["trials"][profile])


def _words(content: Mapping[str, Any], profile: str) -> tuple[str, ...]:
    """The arguments for both profiles, and those for this one."""
    return tuple(shlex.split(" ".join(str(content[key]) for key in ("settings", profile) if content.get(key))))


def _criterion(content: dict[str, Any], profile: str) -> Criterion:
    arguments = {key: _of_profile(value, profile) for key, value in content.items()}
    text, rule, expected = arguments.pop("text"), arguments.pop("rule"), arguments.pop("expected", "")
    return Criterion(text, rule, arguments, expected)
