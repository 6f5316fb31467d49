"""How much training a search left out by stopping trials early, and what is known of the price."""

from __future__ import annotations

from typing import Any

from hydra_pruning_sweeper.messages import plural
from seqlab.reporting.page.answers.answer import Answer
from seqlab.reporting.page.groups import slug
from seqlab.reporting.page.sources import Material
from seqlab.reporting.page.sweeps import REPLAY, Sweep, baseline, saved, trial
from seqlab.reporting.readme.replay import came, share, size

SHIPPED = "(as shipped)"


def swept(material: Material) -> Answer:
    """What pruning left out, what the search found, and what is known of the price."""
    question = "What did the searches save by stopping trials early?"
    if not material.sweeps:
        return Answer(question, run="make sweep")
    sentences = [_saved(sweep) for sweep in material.sweeps]
    links = [(sweep["study"], f"sweep-{slug(sweep['study'])}") for sweep in material.sweeps]
    if material.replay:
        sentences.append(_replayed(material.replay))
        links.append(("pruning on recorded curves", REPLAY))
    return Answer(question, sentences, links)


def _saved(sweep: Sweep) -> str:
    done, full = saved(sweep)
    states = [one["state"] for one in sweep["trials"]]
    pruned, ended = states.count("PRUNED"), states.count("PRUNED") + states.count("COMPLETE")
    text = f"{sweep['study']}{' (yours)' if sweep.get('own') else ''}: "
    if not ended:
        text += "no trial has ended."
    elif full > done:
        text += f"{pruned} of {plural(ended, 'trial')} were stopped early; {done:,} validations were run instead of"
        text += f" {full:,}, had those trials run as long as the longest: at most {1 - done / full:.0%} less training."
    elif pruned:
        text += f"nothing: the {plural(pruned, 'trial')} that were stopped, of {ended}, had run as long as the longest."
    else:
        text += f"nothing by pruning: none of {plural(ended, 'trial')} was stopped early."
    return text + _found(sweep)


def _found(sweep: Sweep) -> str:
    """The best value: the best of many, each of one seed."""
    best, start = trial(sweep, sweep["best"]), baseline(sweep)
    if best is None or best["value"] is None:
        return ""
    first = "lowest" if sweep["direction"] == "minimize" else "highest"
    text = f" The {first} value (by default a loss of validation) is {best['value']:.4g}, of trial {best['number']}"
    if start is best:
        return f"{text}, the configuration as it stood."
    if start is None:
        return f"{text}."
    text += f"; the configuration as it stood has {start['value']:.4g}. Each trial is one seed, and the best of many is"
    return f"{text} lucky, too: by how much it is better is not known until both are trained again."


def _replayed(replay: dict[str, Any]) -> str:
    """Whether those that stop early find what training all in full finds."""
    first, *others = replay["searches"]
    shares = {name: share(replay["searches"][name]["reached"], replay["spent"]) for name in replay["searches"]}
    found = [name for name in others if shares[name] < 1]
    text = f"Does that cost quality? Of {len(others)} other ways of searching, replayed on {size(replay)} recorded"
    text += (
        f" learning curves, {len(found)} find{'s' * (len(found) == 1)} as much as “{first}” in fewer epochs, in most of"
    )
    text += f" {len(replay['seeds'])} seeds"
    if found:
        cheapest = min(found, key=shares.__getitem__)
        seeds = came(replay["searches"][cheapest]["reached"])
        text += (
            f": “{cheapest}” in {shares[cheapest]:.0%} of its epochs in the median ({seeds} seeds came to it), where"
        )
        text += f" it takes {shares[first]:.0%} itself"
    for name in others:
        if name.endswith(SHIPPED):
            seeds = came(replay["searches"][name]["reached"])
            text += f"; “{name}” {'does' if name in found else 'does not'} ({seeds})"
    return f"{text}."
