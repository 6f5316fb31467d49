"""What a search saved by stopping trials early, and what that costs."""

from __future__ import annotations

from typing import Any

from seqlab.reporting.page.answers.answer import Answer
from seqlab.reporting.page.sources import Material
from seqlab.reporting.page.sweeps import REPLAY, Sweep, baseline, saved, trial
from seqlab.reporting.replay import came, share, size

SHIPPED = "(as shipped)"


def swept(material: Material) -> Answer:
    """What pruning saved, what the search found, and what is known of the price."""
    question = "What did the sweep save?"
    if not material.sweeps:
        return Answer(question, run="make sweep")
    sentences = [_saved(sweep) for sweep in material.sweeps]
    links = [(sweep["study"], f"sweep-{sweep['study']}") for sweep in material.sweeps]
    if material.replay:
        sentences.append(_replayed(material.replay))
        links.append(("pruning on recorded curves", REPLAY))
    return Answer(question, sentences, links)


def _saved(sweep: Sweep) -> str:
    done, full = saved(sweep)
    states = [one["state"] for one in sweep["trials"]]
    pruned, ended = states.count("PRUNED"), states.count("PRUNED") + states.count("COMPLETE")
    text = f"{sweep['study']}: "
    if full and pruned:
        text += f"{1 - done / full:.0%} of the training. {pruned} of {ended} trials were stopped early: {done:,}"
        text += f" validations (by default one an epoch) instead of {full:,}."
    else:
        text += f"nothing by pruning: all of {ended} trials ran to their end."
    best, start = trial(sweep, sweep["best"]), baseline(sweep)
    if best:
        first = "lowest" if sweep["direction"] == "minimize" else "highest"
        text += (
            f" The {first} value (by default a loss of validation) is {best['value']:.4g}, of trial {best['number']}"
        )
        text += f"; the configuration as it stood has {start['value']:.4g}." if start and start is not best else "."
    return text


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
        text += f": “{cheapest}” in {shares[cheapest]:.0%} of its epochs, where it takes {shares[first]:.0%} itself"
    for name in others:
        if name.endswith(SHIPPED):
            seeds = came(replay["searches"][name]["reached"])
            text += f"; “{name}” {'does' if name in found else 'does not'} ({seeds})"
    return f"{text}."
