"""How much training searches saved by stopping trials early, and what that costs in quality."""

from __future__ import annotations

from typing import Any

from hydra_pruning_sweeper.messages import plural
from seqlab.reporting.page.answers.answer import Answer, Conclusion
from seqlab.reporting.page.group_names import slug
from seqlab.reporting.page.sources import Material
from seqlab.reporting.page.sweeps import REPLAY, Sweep, baseline, saved, trial
from seqlab.reporting.replay_table import reached_count, share_of_first, size

PUBLISHED = "(as published)"
LUCK = "Each trial of a search is one seed, and the best of many is partly luck: train it and the first again."


def saved_by_pruning(material: Material) -> Answer:
    """What pruning saved in each search, the best trial, and what is known about the price."""
    question = "What did the searches save by stopping trials early?"
    if not material.sweeps:
        return Answer(question, run="make sweep")
    conclusions = [_saved(sweep) for sweep in material.sweeps]
    links = [(sweep["study"], f"sweep-{slug(sweep['study'])}") for sweep in material.sweeps]
    if material.replay:
        conclusions.append(Conclusion("What that costs in quality", _replayed(material.replay)))
        links.append(("pruning on recorded curves", REPLAY))
    return Answer(question, conclusions, links, limit=LUCK)


def _saved(sweep: Sweep) -> Conclusion:
    done, full = saved(sweep)
    states = [one["state"] for one in sweep["trials"]]
    pruned, ended = states.count("PRUNED"), states.count("PRUNED") + states.count("COMPLETE")
    if not ended:
        text = "no trial has ended."
    elif full > done:
        text = f"{pruned} of {plural(ended, 'trial')} were stopped early; {done:,} validations were run instead of"
        text += f" {full:,}, had those trials run as long as the longest: at most {1 - done / full:.0%} less training."
    elif pruned:
        text = f"nothing: the {plural(pruned, 'trial')} that were stopped, of {ended}, had run as long as the longest."
    else:
        text = f"nothing by pruning: none of {plural(ended, 'trial')} was stopped early."
    about = f"{sweep['study']} ({'yours' if sweep.get('is_users') else 'reference'})"
    return Conclusion(about, text, _best_trial(sweep), bool(sweep.get("is_users")))


def _best_trial(sweep: Sweep) -> list[str]:
    """A sentence with the best value and that of the configuration that the search began with."""
    best, first = trial(sweep, sweep["best"]), baseline(sweep)
    if best is None or best["value"] is None:
        return []
    extreme = "lowest" if sweep["direction"] == "minimize" else "highest"
    text = f"The {extreme} value (by default a validation loss) is {best['value']:.4g}, of trial {best['number']}"
    if first is best:
        return [f"{text}, the configuration that the search began with."]
    if first is None:
        return [f"{text}."]
    return [f"{text}; the configuration that the search began with has {first['value']:.4g}."]


def _replayed(replay: dict[str, Any]) -> str:
    """Whether searches that stop trials early find what a search that trains all in full finds."""
    return " ".join(_of_task(task, len(replay["seeds"])) for task in replay["tasks"])


def _of_task(task: dict[str, Any], seeds: int) -> str:
    first, *others = task["searches"]
    shares = share_of_first(task)
    quicker = [name for name in others if shares[name] < 1]
    text = f"{task['task']}: of {len(others)} other ways of searching, replayed on {size(task)} recorded"
    text += f" learning curves, {len(quicker)} find{'s' * (len(quicker) == 1)} as good a value as “{first}” in fewer"
    text += f" epochs, in most of {seeds} seeds"
    if quicker:
        cheapest = min(quicker, key=shares.__getitem__)
        arrived = reached_count(task["searches"][cheapest]["reached"])
        text += f": “{cheapest}” in {shares[cheapest]:.0%} of its epochs in the median ({arrived} seeds reached it)"
    for name in others:
        if name.endswith(PUBLISHED):
            arrived = reached_count(task["searches"][name]["reached"])
            text += f"; “{name}” {'does' if name in quicker else 'does not'} ({arrived})"
    return f"{text}."
