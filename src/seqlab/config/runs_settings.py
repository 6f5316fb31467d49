"""The settings of `seqlab-runs`, checked and typed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from seqlab.config.setting_checks import check_choice, check_truth, texts_of
from seqlab.errors import InputError

ACTIONS = ("list", "clean")
REMOVED = ("checkpoints", "runs")


@dataclass(frozen=True)
class RunsCommandSettings:
    """conf/runs.yaml; its comments say what each setting means."""

    action: str
    runs: tuple[Path, ...] | None
    outputs: Path
    where: str | None
    tag: str | None
    untag: str | None
    remove: str
    dry_run: bool


def read_runs_command(config: DictConfig) -> RunsCommandSettings:
    """The settings of `seqlab-runs`.

    Raises:
        InputError: one has a value that is not allowed.
    """
    for name, choices in (("action", ACTIONS), ("remove", REMOVED)):
        check_choice(name, config[name], choices)
    check_truth(config, "dry_run")
    for name in ("tag", "untag"):
        if config[name] is not None and "," in str(config[name]):
            raise InputError(f"{name} must be one word without commas, but is {config[name]!r}")
    return RunsCommandSettings(
        action=config.action,
        runs=None if config.runs is None else tuple(map(Path, texts_of(config, "runs"))),
        outputs=Path(str(config.outputs)),
        where=None if config.where is None else str(config.where),
        tag=None if config.tag is None else str(config.tag),
        untag=None if config.untag is None else str(config.untag),
        remove=config.remove,
        dry_run=config.dry_run,
    )
