"""What compute buys: results of several sizes against the compute of their training, with the power laws fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seqlab.metrics.registry import entry_of
from seqlab.reporting.page.figures import Figure, Series, line_plot
from seqlab.reporting.page.group_names import slug
from seqlab.reporting.page.headings import claim_name
from seqlab.reporting.power_law_table import NOTE, law_of, rows
from seqlab.reproduction.power_law import PowerLaw
from seqlab.runs.spread import Spread

AXES = {"teraflops": "TFLOP of training"}


@dataclass(frozen=True)
class Scaling:
    """The sizes of some architectures on one task.

    Args:
        claim: the name of the claim that measured them.
        title, text: of that claim.
        quality: what the y axis shows.
        laws: by the name of the architecture.
        figure: the measured means, with their range over seeds, and the laws.
        rows: a row per architecture, below `power_law_table.HEADS`.
    """

    claim: str
    title: str
    text: str
    quality: str
    laws: Mapping[str, PowerLaw]
    figure: Figure
    rows: list[list[str]]


def scalings(claims: Sequence[Mapping[str, Any]]) -> list[Scaling]:
    """One for each fit in the references `claims`."""
    return [_scaling(claim, fit) for claim in claims for fit in claim.get("power_laws", ())]


def _scaling(claim: Mapping[str, Any], fit: Mapping[str, Any]) -> Scaling:
    figures = {
        group["label"]: {name: Spread.from_json(spread) for name, spread in group["figures"].items()}
        for group in claim["groups"]
    }
    quality = entry_of(fit["y"]).label
    laws = {line["name"]: law_of(line) for line in fit["lines"]}
    series = []
    for colour, line in enumerate(fit["lines"]):
        name, law = line["name"], laws[line["name"]]
        sizes = sorted((figures[label] for label in line["groups"]), key=lambda one: one[fit["x"]].mean)
        measured = [(one[fit["x"]].mean, one[fit["y"]].mean) for one in sizes]
        over_seeds = [(min(one[fit["y"]].values), max(one[fit["y"]].values)) for one in sizes]
        fitted = [(x, law(x)) for x, _ in measured]
        series.append(Series(name, colour, measured, over_seeds, joined=False))
        series.append(Series(f"{name}, law", colour, fitted, marked=False, kind=name))
    x = AXES.get(fit["x"], fit["x"])
    title = f"{quality[0].upper()}{quality[1:]} against compute"
    name = claim_name(claim)
    figure = line_plot(f"scaling-{slug(name)}", title, x, quality, series, log_x=True, log_y=True, note=NOTE)
    return Scaling(name, claim["title"], claim["text"], quality, laws, figure, rows(fit))
