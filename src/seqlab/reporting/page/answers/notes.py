"""What a validation loss tells where the validation text resembles the training text."""

from __future__ import annotations

from seqlab.metrics.registry import LOSS
from seqlab.reporting.page.answers.answer import Answer, Conclusion, missing_runs
from seqlab.reporting.page.answers.evidence import Gap, between, why_not_shown, within
from seqlab.reporting.page.group_names import named
from seqlab.reporting.page.groups import RunGroup
from seqlab.reporting.page.headings import heading
from seqlab.reporting.page.sources import Material
from seqlab.runs.run_figures import leaked, metric_of
from seqlab.runs.schemas import Digest

OTHER = "val_other"
HUB = "seqlab.data.hub_text.HubText"
"""Data of which neither validation split is other text: one is validation rows of the same data set."""
SHARES = (0, 10, 50)  # percent of the validation sentences that were added to the training text


def familiar_text(material: Material) -> Answer:
    """The validation loss on text of the training text's kind against that on other text.

    The user's runs that have both come first, then those of claim G, with what planting validation sentences in the
    training text does.
    """
    question = "Does a low validation loss mean more than that the text resembles the training text?"
    yours = [one for one in material.groups if one.is_users and _has_other_text(one)]
    reference, elsewhere = material.group("G", "phase1"), material.group("G", "phase2")
    references = [reference] if reference and reference not in yours else []
    groups = [*yours, *references]
    # Named separately: among the user's runs the reference would bear a claim's label, which no reader knows yet.
    names = named(yours) | named(references)
    conclusions = [shown for one in groups if (shown := _against(one, names[one.id], elsewhere))]
    if not conclusions:
        return Answer(question, run="make reproduce-G")
    if any(one is reference for one in groups):
        conclusions += _planted(material)
    missing, run = missing_runs(material, groups)
    return Answer(
        question,
        conclusions,
        [("what was expected of the reference runs", "claim-G"), ("leakage", "leakage")],
        run,
        missing,
    )


def _has_other_text(group: RunGroup) -> bool:
    return bool(group.metric_by_seed(LOSS, OTHER)) and group.setting("data", "_target_") != HUB


def _splits(group: RunGroup) -> tuple[str, str]:
    """The split of text like the training text, and that of other text, on which some runs select their checkpoint."""
    return (OTHER, "val") if group.setting("data", "split") == "folder" else ("val", OTHER)


def _against(group: RunGroup, name: str, elsewhere: RunGroup | None) -> Conclusion | None:
    """The loss against that on other text, of the same run or of one that is validated on text of another kind."""
    alike, other = _splits(group)
    inside = group.metric(LOSS, alike)
    if inside is None:
        return None
    name = f"{heading(group)}, {name}{'' if group.is_users else ' (reference)'}"
    text = f"{inside:.2f} nats per token (cross-entropy with natural logarithms)"
    text += " on held-out sentences of the same kind of text"
    if leaks := group.figure(leaked(alike)):
        text += f" ({leaks.mean:.1%} of them appear in training word for word)"
    gap, outside = within(group.by_seed(lambda run: _gap(run, alike, other))), group.metric(LOSS, other)
    if outside is None and group.claim and elsewhere is not None:
        outside, gap = elsewhere.metric(LOSS, "val"), _apart(group, elsewhere)
    if outside is None or gap is None:
        verdict, evidence = f"{text}; on other text it was not measured.", []
    else:
        verdict, evidence = _verdict(gap), [f"{text}, {outside:.2f} on other text."]
    return Conclusion(name, verdict, evidence, group.is_users)


def _gap(run: Digest, alike: str, other: str) -> float | None:
    inside, outside = (metric_of(split, LOSS)(run) for split in (alike, other))
    return None if inside is None or outside is None else outside - inside


def _apart(group: RunGroup, elsewhere: RunGroup) -> Gap | None:
    return between(group.metric_by_seed(LOSS, "val"), elsewhere.metric_by_seed(LOSS, "val"))


def _verdict(gap: Gap) -> str:
    size = gap.in_metric("loss")
    if gap.none_shown:
        return f"no difference to other text is shown: {size}."
    if not gap.shown:
        return f"the loss differs by {size} on other text; {why_not_shown(gap)}."
    if gap.size > 0:
        return f"other text costs more, {size}: the loss partly measures how alike the texts are."
    return f"other text costs less, {size}: resembling the training text is no advantage here."


def _planted(material: Material) -> list[Conclusion]:
    """How the loss falls with the share of validation sentences that are planted in training."""
    groups = {share: one for share in SHARES if (one := material.group("G", f"planted_{share}"))}
    losses = {share: loss for share, one in groups.items() if (loss := one.metric(LOSS, "val"))}
    if len(losses) < 2:
        return []
    low, *_, high = losses
    gap = _apart(groups[low], groups[high])
    assert gap is not None  # both have a loss
    text = f"with {', '.join(f'{share}%' for share in losses)} of the validation sentences planted in training"
    text += f"{_epochs(groups)} the loss is {', '.join(format(value, '.2f') for value in losses.values())}"
    size = f"{gap.in_metric('loss')} from {low}% to {high}%"
    if gap.shown:
        text += f": it {'falls' if gap.size < 0 else 'rises'} with the planted share, {size}."
    elif gap.none_shown:
        text += f": no effect is shown, {size}."
    else:
        text += f": {size}; {why_not_shown(gap)}."
    return [Conclusion(f"{heading(groups[low])}, planted sentences (reference)", text)]


def _epochs(groups: dict[int, RunGroup]) -> str:
    """How long they were trained: less long than the run without planted sentences."""
    epochs = {run["epochs"] for one in groups.values() for run in one.runs if run.get("epochs")}
    return f" ({epochs.pop():g} epochs each)" if len(epochs) == 1 else ""
