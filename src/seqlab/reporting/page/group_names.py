"""What groups of runs are called side by side, and which colours they have."""

from __future__ import annotations

import re
from collections.abc import Sequence

from seqlab.identity import fingerprint
from seqlab.reporting.page.groups import RunGroup
from seqlab.reproduction.claim import USUAL_PROFILE

ARCHITECTURES = {
    "gru": "a recurrent encoder (GRU), whose last state is all that the decoder gets of the source",
    "lstm": "a recurrent encoder (LSTM), whose last state is all that the decoder gets of the source",
    "context_gru": "a recurrent encoder, whose last state is given to every step of the decoder",
    "bahdanau": "a recurrent decoder that looks at all of the source before each step (additive attention)",
    "luong": "a recurrent decoder that looks at all of the source after each step (general attention)",
    "conv": "convolutions in place of recurrence, attention in every layer",
    "transformer": "attention alone, in encoder and decoder",
    "gpt": "a Transformer's decoder alone, which reads the source as the beginning of its text",
}
"""Name → what it is, in the order of their colours."""


def named(groups: Sequence[RunGroup]) -> dict[str, str]:
    """Group's id → its name among `groups`: the architecture, followed by label, settings or profile if groups would
    have the same name. What a search chose always bears its label, as in `conv_tuned`. The user's groups are marked,
    and references where they appear beside them.
    """
    profiles = {one.profile for one in groups}
    reference = " (reference)" if any(one.is_users for one in groups) else ""
    names: dict[str, str] = {}
    for one in groups:
        alike = [other for other in groups if other.architecture == one.architecture]
        name = one.architecture
        if (len(alike) > 1 or one.tuned) and (what := _set_apart(one, alike)):
            name = what if what.startswith(name) else f"{name}, {what}"
        name += f", {one.profile}" if one.profile != USUAL_PROFILE and len(profiles) > 1 else ""
        name += " (yours)" if one.is_users else reference
        taken = sum(other == name or other.startswith(f"{name} #") for other in names.values())
        names[one.id] = f"{name} #{taken + 1}" if taken else name
    return names


def _set_apart(one: RunGroup, alike: Sequence[RunGroup]) -> str:
    """What sets a group apart from others of its architecture: its label in a claim, with the claim where another has
    the same label; or the overrides that it alone has.
    """
    if one.claim:
        label = "" if one.label == one.architecture else one.label
        repeated = any(other.label == one.label and other.claim not in ("", one.claim) for other in alike)
        return f"{label}, claim {one.claim}".removeprefix(", ") if repeated else label
    all_overrides = [other.runs[0].get("overrides", {}) for other in alike]
    overrides = one.runs[0].get("overrides", {})
    differing = [name for name in overrides if any(other.get(name) != overrides[name] for other in all_overrides)]
    return ", ".join(f"{name}={overrides[name]}" for name in differing if name not in ("model", "seed", "resume"))


def colours(groups: Sequence[RunGroup]) -> dict[str, int]:
    """Group's id → number of its colour: that of its architecture, if all groups have different known architectures."""
    order = list(ARCHITECTURES)
    known = [order.index(one.architecture) if one.architecture in order else -1 for one in groups]
    if -1 in known or len(set(known)) < len(known):
        known = list(range(len(groups)))
    return {one.id: number % 8 for one, number in zip(groups, known, strict=True)}


def slug(text: str) -> str:
    """A text as part of an id; different texts give different ids."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    lost = re.search(r"[^a-z0-9→ _-]", text.lower())
    return f"{plain}-{fingerprint(text)}".strip("-") if lost else plain
