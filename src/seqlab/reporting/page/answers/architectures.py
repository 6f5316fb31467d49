"""Which architecture is best, which trains fastest, what carrying the context changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seqlab.reporting.page.answers.answer import Answer, in_form, lacking, listed, mean, of, titled, translation
from seqlab.reporting.page.groups import NAMES, QUALITY, USUAL, Group, by_dataset, named, quality
from seqlab.reporting.page.plots import slug
from seqlab.reporting.page.sources import Material
from seqlab.reporting.page.tables import place

SIGNIFICANT = 0.05
SPEED = ("training", "tokens_per_second")
SIZES_DIFFER = 1.05  # weights of one model over those of another, from which it is worth a word
EQUAL = {  # what claim C keeps equal, and where it stands among a run's settings
    "cell": ("model", "cell"),
    "width": ("model", "width"),
    "epochs": ("trainer", "max_epochs"),
    "batch size": ("data", "batch_size"),
    "learning rate": ("optimizer", "lr"),
}


def best(material: Material) -> Answer:
    """Which architecture, by how much, and whether that is more than chance."""
    question = "Which architecture is best on Multi30k, and is the difference significant?"
    groups = translation(material)
    metric = quality(groups)
    if metric is None or len(groups) < 2:
        return Answer(question, run="make reproduce-C")
    names, word = named(groups), NAMES[metric]
    first, second, *others = ranked(groups, metric)
    gap = mean(first.metric(metric)) - mean(second.metric(metric))
    sentences = [
        f"{titled(first, names[first.id])}: {of(first, metric)} {word} on {first.split}{_seeds(first)},"
        f" {in_form(abs(gap), word)} {'above' if gap > 0 else 'below'} the next, {names[second.id]}"
        f" ({of(second, metric)}{_seeds(second)}).",
        _significance(material, second, first, word),
    ]
    if others:
        sentences.append(f"Then {', '.join(f'{names[one.id]} {of(one, metric)}' for one in others)}.")
    links = [("table", place(material, first.dataset)), ("claim C", "claim-C")]
    missing, run = lacking(material, groups)
    return Answer(question, sentences, links, run, missing)


def ranked(groups: Sequence[Group], metric: str) -> list[Group]:
    """The best first."""
    return sorted(groups, key=lambda one: mean(one.metric(metric)), reverse=QUALITY[metric])


def fastest(material: Material) -> Answer:
    """Target tokens a second of training: on Multi30k, and on the dataset that most architectures saw."""
    question = "Which trains fastest?"
    trained = [one for one in material.groups if mean(one.figure(*SPEED)) > 0]
    of_multi30k = _of_one_profile([one for one in translation(material) if one in trained])
    others = max(map(_of_one_profile, by_dataset(trained).values()), key=_architectures, default=[])
    shown = [some for some in (of_multi30k, others) if _architectures(some) > 1]
    if len(shown) > 1 and _architectures(others) <= _architectures(of_multi30k):
        shown = shown[:1]
    if not shown:
        return Answer(question, run="make reproduce-C")
    sentences = [sentence for some in shown for sentence in _speeds(some)]
    dataset = shown[0][0].dataset
    links = [("table", place(material, dataset)), ("loss against time", f"time-{slug(dataset)}")]
    return Answer(question, sentences, links)


def _of_one_profile(groups: Sequence[Group]) -> list[Group]:
    """Those of the profile in which most architectures ran, the usual one if it is as good: others have other sizes."""
    profiles = sorted({one.profile for one in groups}, key=lambda profile: (profile != USUAL, profile))
    of = [[one for one in groups if one.profile == profile] for profile in profiles]
    return max(of, key=_architectures, default=[])


def _architectures(groups: Sequence[Group]) -> int:
    return len({one.architecture for one in groups})


def _speeds(groups: Sequence[Group]) -> list[str]:
    """Of one dataset: the fastest beside the next and the slowest, and what it gives away for that."""
    names = named(groups)
    first, second, *others = sorted(groups, key=lambda one: -mean(one.figure(*SPEED)))
    top = mean(first.figure(*SPEED))
    times = [f"{top / mean(one.figure(*SPEED)):.2g} times {names[one.id]}" for one in (second, *others[-1:])]
    sizes = [size.mean / 1e6 for one in groups if (size := one.figure("parameters"))]
    differ = bool(sizes) and max(sizes) > SIZES_DIFFER * min(sizes)
    text = first.dataset + (f" ({min(sizes):.2g} to {max(sizes):.2g} million weights)" if differ else "")
    text += f": {names[first.id]}, {first.figure(*SPEED):,.0f} target tokens a second: "
    text += f"{times[0]} and {times[1]}, the slowest." if others else f"{times[0]}."
    if metric := quality(groups):
        top_quality = ranked(groups, metric)[0]
        text += f" It has {of(first, metric)} {NAMES[metric]}"
        text += (
            " and is also the best."
            if top_quality is first
            else f"; {names[top_quality.id]}, the best, has {of(top_quality, metric)}."
        )
    apart = len({device for one in groups for device in one.devices}) > 1
    return [text, *(["Not all ran on the same machine, so take this with care."] if apart else [])]


def carried(material: Material) -> Answer:
    """Claim C (a): the same model with only the decoder changed."""
    question = "What did carrying the context to every decoder step change?"
    without, carrying = material.group("C", "gru"), material.group("C", "context_gru")
    metric = quality([one for one in (without, carrying) if one])
    if without is None or carrying is None or metric is None:
        return Answer(question, run="make reproduce-C")
    word, change = NAMES[metric], mean(carrying.metric(metric)) - mean(without.metric(metric))
    sentences = [
        f"It {'raised' if change > 0 else 'lowered'} {word} by {in_form(abs(change), word)}, from"
        f" {of(without, metric)} (gru) to {of(carrying, metric)} (context_gru){_all_else(without, carrying)}.",
        _significance(material, without, carrying, word),
        *_cost(without, carrying),
    ]
    links = [("claim C", "claim-C"), ("table", place(material, carrying.dataset))]
    missing, run = lacking(material, [without, carrying])
    return Answer(question, sentences, links, run, missing)


def _all_else(a: Group, b: Group) -> str:
    """Which settings two groups have in common, and which not."""
    same = [name for name, path in EQUAL.items() if _setting(a, path) == _setting(b, path) is not None]
    other = [name for name, path in EQUAL.items() if _setting(a, path) != _setting(b, path)]
    said = f", with the same {listed(same)}" if same else ""
    return said + (f", but another {listed(other)}" if other else "")


def _setting(group: Group, path: tuple[str, str]) -> Any:
    return group.runs[0].get("settings", {}).get(path[0], {}).get(path[1])


def _cost(without: Group, carrying: Group) -> list[str]:
    """What it takes in time and in weights."""
    sentences = []
    slow, quick = carrying.seconds_a_step(), without.seconds_a_step()
    if slow and quick:
        same = " on the same machine" if carrying.devices == without.devices else ""
        sentences.append(
            f"A training step takes {slow.mean / quick.mean:.2f} times as long"
            f" ({1000 * quick.mean:.0f} ms → {1000 * slow.mean:.0f} ms{same})."
        )
    more, less = carrying.figure("parameters"), without.figure("parameters")
    if more and less and more.mean > SIZES_DIFFER * less.mean:
        sentences.append(
            f"It has {more.mean / 1e6:.1f} million weights instead of {less.mean / 1e6:.1f}: size may be part of it."
        )
    return sentences


def _significance(material: Material, a: Group, b: Group, metric: str) -> str:
    """Sentences on a paired test of two groups: what it says, and what it cannot."""
    test = material.significance(a, b, metric)
    if test is None or test.get("p") is None:
        return "Whether the difference is more than chance has not been tested."
    verdict = "significant" if test["p"] < SIGNIFICANT else "not significant"
    text = f"The difference is {verdict} (paired bootstrap over {test['samples']:,} test sets, p = {test['p']:.4g}"
    if "interval" in test:
        low, high = (in_form(bound, metric) for bound in test["interval"])
        text += f"; in 95 % of them it is {low} to {high}"
    text += ")."
    once = [one.label for one in (b, a) if len(one.runs) == 1]
    return f"{text} How far it depends on the seed is open: {listed(once)} ran once." if once else text


def _seeds(group: Group) -> str:
    return f" over {len(group.runs)} seeds" if len(group.runs) > 1 else " with one seed"
