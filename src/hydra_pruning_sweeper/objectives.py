"""What a search optimizes: one objective, or several by name, whose best trials form a Pareto front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from hydra_pruning_sweeper.errors import UsageError

if TYPE_CHECKING:
    from optuna.study import StudyDirection

Direction = Literal["minimize", "maximize"]
Goal = Direction | dict[str, Direction]
"""The direction of the only objective; or name → direction of several, in the order of a trial's values."""
Value = float | list[float]
"""What a trial came to: a number, or one per objective if there are several."""

DIRECTIONS = ("minimize", "maximize")


def is_goal(setting: Any) -> bool:
    """Whether plain data, such as a file's, are a `Goal`."""
    if isinstance(setting, dict):
        named = all(isinstance(name, str) and name for name in setting)
        return len(setting) > 1 and named and all(one in DIRECTIONS for one in setting.values())
    return setting in DIRECTIONS


def goal_from(setting: Any) -> Goal:
    """The goal that `hydra.sweeper.direction` sets. Those of a list are called `value 1`, `value 2` and so on.

    Raises:
        UsageError: it is neither one direction nor several.
    """
    goal = setting
    if isinstance(setting, list):
        goal = {f"value {place}": one for place, one in enumerate(setting, 1)}
    elif isinstance(setting, dict):
        goal = {str(name): one for name, one in setting.items()}
    if not is_goal(goal):
        raise UsageError(
            f"hydra.sweeper.direction must be minimize or maximize, but is {setting}; for several objectives"
            " '{NAME: minimize, OTHER: maximize}', or [minimize, maximize]"
        )
    return goal


def names_of(goal: Goal) -> list[str]:
    """The objectives' names; `value` where there is only one."""
    return ["value"] if isinstance(goal, str) else list(goal)


def directions_of(goal: Goal) -> list[Direction]:
    """The objectives' directions."""
    return [goal] if isinstance(goal, str) else list(goal.values())


def direction_of(goal: Goal, metric: str) -> Direction | None:
    """The direction of the only objective, whatever it is; of several, that of the one with a metric's name, if any."""
    return goal if isinstance(goal, str) else goal.get(metric)


def sign_of(direction: Direction | StudyDirection) -> int:
    """What a value is multiplied by so that lower ones are better: 1 if the direction is to minimize, else -1."""
    name = direction if isinstance(direction, str) else direction.name.lower()
    return 1 if name == "minimize" else -1


def result_of(returned: Any, goal: Goal) -> tuple[Value | None, str | None]:
    """What a trial came to, by what its task returned: a number; for several objectives a mapping that has their
    names, or a sequence with a number for each.

    Returns:
        The value, None if the task returned something else; and in that case what is wrong, if there are several.
    """
    if isinstance(goal, str):
        return (float(returned) if _is_number(returned) else None), None
    if isinstance(returned, Mapping):
        if missing := [name for name in goal if not _is_number(returned.get(name))]:
            known = ", ".join(str(name) for name, value in returned.items() if _is_number(value)) or "no number"
            return None, f"the task returned no number for {', '.join(missing)}; it returned {known}"
        return [float(returned[name]) for name in goal], None
    if isinstance(returned, Sequence) and len(returned) == len(goal) and all(map(_is_number, returned)):
        return [float(one) for one in returned], None
    shown = " ".join(repr(returned).split())
    shown = shown if len(shown) <= 60 else f"{shown[:57]}…"
    return None, f"the task must return {len(goal)} numbers, for {', '.join(goal)}, but returned {shown}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def pareto_front(values: Sequence[Sequence[float]], directions: Sequence[Direction]) -> list[int]:
    """The places of the values that no other ones dominate: that are no worse in all objectives and better in one."""
    signs = [sign_of(one) for one in directions]
    costs = [[sign * value for sign, value in zip(signs, one, strict=True)] for one in values]

    def dominates(one: list[float], other: list[float]) -> bool:
        return one != other and all(mine <= theirs for mine, theirs in zip(one, other, strict=True))

    front: list[int] = []
    for place in sorted(range(len(costs)), key=lambda place: costs[place]):  # what dominates it comes before it
        if not any(dominates(costs[other], costs[place]) for other in front):
            front.append(place)
    return sorted(front)
