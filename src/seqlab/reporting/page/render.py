"""Renders the page: one HTML file that holds its style, script and data, and loads nothing."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from hydra_pruning_sweeper.messages import plural
from seqlab.reporting.page import plots, sweeps, tables
from seqlab.reporting.page.answers import answers
from seqlab.reporting.page.answers.answer import Answer
from seqlab.reporting.page.chosen_settings import chosen_settings
from seqlab.reporting.page.figures import marker
from seqlab.reporting.page.group_names import ARCHITECTURES, named, slug
from seqlab.reporting.page.groups import RunGroup, by_dataset
from seqlab.reporting.page.headings import heading, title
from seqlab.reporting.page.opening import opening
from seqlab.reporting.page.scaling import scalings
from seqlab.reporting.page.sentence_explorer import PLAY_ADDRESS, classes, sentences, unsampled
from seqlab.reporting.page.sources import Material
from seqlab.reporting.power_law_table import HEADS
from seqlab.reproduction.claim import USUAL_PROFILE
from seqlab.version import __version__

HERE = Path(__file__).parent
SCRIPTS = ("common.js", "attention.js", "downloads.js", "script.js")
MARKS = {
    "_tuned": "“_tuned” at the end of a name: a search chose the settings, for each model alone.",
    "_untuned": (
        "“_untuned”: the settings that come with seqlab. A name alone is of another claim, often of a larger model."
    ),
    "_min_gru": "“_min_gru”: with minGRU in place of self-attention.",
    "_gated_linear": "“_gated_linear”: with gated linear attention in place of self-attention.",
    "full": "“full”: the larger profile of a claim, with larger models and longer training.",
}
"""Parts of names, and what they mean."""


def render(material: Material, path: Path, diagrams: Mapping[str, str] | None = None) -> str:
    """The page as HTML.

    Args:
        path: the file that the page is written to; links to run folders are relative to it.
        diagrams: architecture → SVG.
    """
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["json"] = as_json
    environment.filters["coded"] = coded
    environment.filters["breakable"] = breakable
    environment.filters["slug"] = slug
    environment.filters["plural"] = plural
    environment.filters["pauses"] = sweeps.pauses
    environment.filters["heading"] = heading
    environment.globals["marker"] = marker
    groups = [(title(some), some) for some in by_dataset(material.groups).values()]
    explored = sentences(material.groups)
    answered = answers(material)
    sections: dict[str, Any] = {
        "compare": tables.comparisons(material),
        "learning": {name: figures for name, some in groups if (figures := plots.learning(some))},
        "length": plots.by_length(material.groups),
        "scaling": scalings(material.claims),
        "sentences": explored,
        "failures": {name: table for name, some in groups if (table := tables.failures(some))},
        "sweeps": _searches(material),
        "claims": tables.claim_cards(material),
        "leakage": tables.leakage(material),
        "diagrams": {name: Markup(svg) for name, svg in (diagrams or {}).items()},
    }
    return environment.get_template("page.html").render(
        version=__version__,
        style=Markup(_asset("style.css")),
        script=Markup("\n".join(map(_asset, SCRIPTS))),
        material=material,
        answers=answered,
        known=_known(material.groups),
        marks=[meaning for mark, meaning in MARKS.items() if any(mark in _marked(one) for one in material.groups)],
        opening=opening(explored, sections["length"], material.groups),
        caveats=_caveats(answered),
        counted=tables.claims_and_comparisons(material.claims),
        sections=sections,
        ids=_ids(sections, material),
        unsampled=unsampled(material.groups, material.claims),
        law_heads=HEADS,
        play_address=PLAY_ADDRESS,
        rules=tables.rules(material.groups),
        classes=classes(explored, material.groups),
        commands=[(one, _name(one), _folders(one, path), _settings(one)) for one in material.groups],
        versions=tables.versions(material),
    )


def _known(groups: Sequence[RunGroup]) -> dict[str, str]:
    """What the architectures of the groups are, by name, as far as they are seqlab's own."""
    there = {one.architecture for one in groups}
    return {name: meaning for name, meaning in ARCHITECTURES.items() if name in there}


def _marked(group: RunGroup) -> str:
    """What the names of a group say besides its architecture."""
    return f"{group.label}, {group.profile}"


def _caveats(answered: Sequence[Answer]) -> list[str]:
    """What limits several answers, each once: what is missing, and what their figures cannot tell."""
    missing = [f"Not complete: {one.missing}; `{one.run}` makes the rest." for one in answered if one.missing]
    return list(dict.fromkeys([*missing, *(one.limit for one in answered if one.limit)]))


def _searches(material: Material) -> dict[str, Any]:
    """Sweeps and the comparison of searches; empty if there are none."""
    studies = [(sweep, sweeps.figures(sweep), sweeps.saved(sweep)) for sweep in material.sweeps]
    replay = tables.replayed(material.replay) if material.replay else []
    found = {"studies": studies, "chosen": chosen_settings(material), "replay": replay}
    return found if any(found.values()) else {}


def _ids(sections: dict[str, Any], material: Material) -> set[str]:
    """The ids that links of an answer may lead to."""
    figures = [
        *sections["length"],
        *(one.figure for one in sections["scaling"]),
        *(one for some in sections["learning"].values() for one in some),
    ]
    ids = (one.id for one in (*sections["claims"], *sections["compare"], *figures, *material.groups))
    searches = [f"sweep-{slug(one['study'])}" for one in material.sweeps] + ([sweeps.REPLAY] if material.replay else [])
    return {"commands", *ids, *searches, *(name for name, content in sections.items() if content)}


def coded(text: str) -> Markup:
    """Text as HTML; what stands between two backticks becomes `<code>`."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def breakable(name: str) -> Markup:
    """The name of a setting as HTML, where a line may end after each dot and underscore."""
    return Markup(re.sub(r"([._])", r"\1<wbr>", str(escape(name))))


def as_json(content: Any) -> Markup:
    """JSON for a `<script type="application/json">`, in which nothing can end the script element."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))


def _asset(name: str) -> str:
    return (HERE / "assets" / name).read_text(encoding="utf-8")


def _name(one: RunGroup) -> str:
    if not one.claim:
        return named([one])[one.id]
    more = [*([one.profile] if one.profile != USUAL_PROFILE else []), *(["yours"] if one.is_users else [])]
    return f"Claim {one.claim}, {one.label}" + (f" ({', '.join(more)})" if more else "")


def _folders(one: RunGroup, path: Path) -> list[tuple[str, str]]:
    """(name, link) of the run folders; the link is "" where a folder is not on this machine."""
    links: Sequence[str] = [_link(folder.resolve(), path.resolve().parent) for folder in one.folders]
    names = [str(run.get("folder", "")) for run in one.runs]
    return [*zip(names, links, strict=True)] if links else [(name, "") for name in names if name]


def _link(folder: Path, start: Path) -> str:
    """A link from one folder to another, relative whatever their names are: a folder may be named `javascript:x`."""
    return "./" + quote(os.fsencode(os.path.relpath(folder, start)))


def _settings(one: RunGroup) -> str:
    return json.dumps(one.runs[0].get("settings", {}), indent=1, ensure_ascii=False)
