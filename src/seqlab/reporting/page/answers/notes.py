"""What a validation loss tells where validation is like training."""

from __future__ import annotations

from itertools import pairwise

from seqlab.reporting.page.answers.answer import Answer, lacking
from seqlab.reporting.page.groups import Group, Spread
from seqlab.reporting.page.sources import Material

LOSS = "teacher_forced/loss"
SHARES = (0, 10, 50)  # percents of validation that were planted in training


def phase_1(material: Material) -> Answer:
    """Claim G: a validation loss on text of which some stands in training, beside one on text that does not."""
    question = "Does the phase-1 validation loss of claim G (a GPT on notes) mean anything?"
    first = material.group("G", "phase1")
    inside = first.metric(LOSS, "val") if first else None
    if first is None or inside is None:
        return Answer(question, run="make reproduce-G")
    second = material.group("G", "phase2")
    outside = first.metric(LOSS, "val_other") or (second.metric(LOSS, "val") if second else None)
    sentences = [_against(inside, outside)]
    if leaks := first.leaks():
        sentences.append(f"{leaks.mean:.1%} of its validation sentences stand in training word for word.")
    sentences += _planted(material, inside, outside)
    missing, run = lacking(material, [first])
    return Answer(question, sentences, [("claim G", "claim-G"), ("leakage", "leakage")], run, missing)


def _against(inside: Spread, outside: Spread | None) -> str:
    """The loss beside that on other text."""
    if outside is None:
        return f"{inside:.2f} nats a token on sentences of the same notes; on other text it was not measured."
    figures = f"{inside:.2f} nats a token on held-out sentences of the same notes"
    other = f"{outside:.2f} on a story that has nothing to do with them"
    if outside.mean > inside.mean:
        return f"Not by itself: {figures}, {other}. It says how alike two texts are, not how well the model writes."
    return f"As much as any: {figures}, {other}."


def _planted(material: Material, inside: Spread, outside: Spread | None) -> list[str]:
    """What a loss gains by what is repeated."""
    groups = {share: one for share in SHARES if (one := material.group("G", f"planted_{share}"))}
    losses = {share: found.mean for share, one in groups.items() if (found := one.metric(LOSS, "val"))}
    if len(losses) < 2:
        return []
    falls = all(a > b for a, b in pairwise(losses.values()))
    text = f"With {', '.join(f'{share}%' for share in losses)} of validation planted in training{_epochs(groups)} it is"
    text += f" {', '.join(f'{value:.2f}' for value in losses.values())}"
    text += ": it falls with what is repeated, whatever the model understands." if falls else "."
    gained, apart = max(losses.values()) - min(losses.values()), outside.mean - inside.mean if outside else 0.0
    if falls and gained < apart:
        text += f" But that is {gained:.2f} of a gap of {apart:.2f}: most of it is likeness, not copies."
    return [text]


def _epochs(groups: dict[int, Group]) -> str:
    """How long those were trained, which is not as long as phase 1."""
    epochs = {run["epochs"] for one in groups.values() for run in one.runs if run.get("epochs")}
    return f" ({epochs.pop():g} epochs each)" if len(epochs) == 1 else ""
