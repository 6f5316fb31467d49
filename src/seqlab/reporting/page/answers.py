"""The page's first lines: what a reader wants to know, answered in sentences made from the figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from seqlab.reporting.page.groups import FORMS, NAMES, QUALITY, USUAL, Group, Spread, by_dataset, form, named, quality
from seqlab.reporting.page.plots import BY_LENGTH, buckets, length_metric, lengths, lengths_of, trained_to
from seqlab.reporting.page.sources import Material
from seqlab.reporting.page.sweeps import baseline, saved, trial

SIGNIFICANT = 0.05
FIXED = ("gru", "lstm", "context_gru")  # the source passes through one vector


@dataclass(frozen=True)
class Answer:
    """A question, sentences, and where on the page the figures stand: (what, id).

    Without sentences it is open, and `run` says what would answer it.
    """

    question: str
    sentences: list[str] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    run: str = ""


def answers(material: Material) -> list[Answer]:
    """All of them, in reading order."""
    return [
        best(material),
        fastest(material),
        carried(material),
        fixed_vector(material),
        phase_1(material),
        swept(material),
    ]


def translation(material: Material) -> list[Group]:
    """The runs on Multi30k that compare: of the reference, or of whoever made the page where there is none."""
    some = [one for one in material.groups if "multi30k" in one.dataset.lower()]
    some = [one for one in some if not one.own] or some
    some = [one for one in some if one.profile != USUAL] or some
    return max(by_dataset(some).values(), key=len, default=[])


def best(material: Material) -> Answer:
    """Which architecture, by how much, and whether that is more than chance."""
    question = "Which architecture is best on Multi30k, and is the difference significant?"
    groups = translation(material)
    metric = quality(groups)
    if metric is None or len(groups) < 2:
        return Answer(question, run="make reproduce-C")
    names, word = named(groups), NAMES[metric]
    ranked = sorted(groups, key=lambda one: _mean(one.metric(metric)), reverse=QUALITY[metric])
    first, second = ranked[:2]
    gap = _mean(first.metric(metric)) - _mean(second.metric(metric))
    sentences = [
        f"{names[first.id]}: {_of(first, metric)} {word} on {first.split}{_seeds(first)},"
        f" {_figure(abs(gap), word)} {'above' if gap > 0 else 'below'} the next, {names[second.id]}"
        f" ({_of(second, metric)}{_seeds(second)}).",
        _significance(material, second, first, word),
    ]
    others = [f"{names[one.id]} {_of(one, metric)}" for one in ranked[2:]]
    sentences += [f"Then {', '.join(others)}."] if others else []
    return Answer(question, sentences, [("table", "compare"), ("claim C", "claim-C")])


def fastest(material: Material) -> Answer:
    """Target tokens a second of training, on the dataset that most architectures saw."""
    question = "Which is fastest?"
    speed = ("training", "tokens_per_second")
    trained = [one for one in material.groups if _mean(one.figure(*speed)) > 0]
    datasets = [[one for one in translation(material) if one in trained], *by_dataset(trained).values()]
    groups = max(datasets, key=lambda some: len({one.architecture for one in some}))
    if len({one.architecture for one in groups}) < 2:
        return Answer(question, run="make reproduce-C")
    names = named(groups)
    ranked = sorted(groups, key=lambda one: -_mean(one.figure(*speed)))
    first, second, last = ranked[0], ranked[1], ranked[-1]
    top = _mean(first.figure(*speed))
    sentences = [
        f"{names[first.id]} trains fastest ({first.dataset}): {first.figure(*speed):,.0f} target tokens a second,"
        f" {top / _mean(second.figure(*speed)):.2g} times {names[second.id]}"
        + (
            f" and {top / _mean(last.figure(*speed)):.2g} times {names[last.id]}, the slowest."
            if len(ranked) > 2
            else "."
        )
    ]
    if len({device for one in groups for device in one.devices}) > 1:
        sentences.append("Not all ran on the same machine, so take this with care.")
    metric = quality(groups)
    if metric:
        sentences.append(f"Its {NAMES[metric]} is {_of(first, metric)}.")
    return Answer(question, sentences, [("table", "compare"), ("loss against time", "learning")])


def carried(material: Material) -> Answer:
    """Claim C (a): the same model with only the decoder changed."""
    question = "What did carrying the context to every decoder step change?"
    without, carrying = material.group("C", "gru"), material.group("C", "context_gru")
    metric = quality([one for one in (without, carrying) if one])
    if without is None or carrying is None or metric is None:
        return Answer(question, run="make reproduce-C")
    word, change = NAMES[metric], _mean(carrying.metric(metric)) - _mean(without.metric(metric))
    sentences = [
        f"{_direction(change)} {word} by {_figure(abs(change), word)}, from {_of(without, metric)} (gru) to"
        f" {_of(carrying, metric)} (context_gru), with encoder, cell, width, epochs and batch equal.",
        _significance(material, without, carrying, word),
    ]
    slow, quick = carrying.seconds_a_step(), without.seconds_a_step()
    if slow and quick:
        ratio = slow.mean / quick.mean
        sentences.append(
            f"A training step takes {ratio:.2f} times as long"
            f" ({1000 * quick.mean:.0f} ms → {1000 * slow.mean:.0f} ms on the same machine)."
        )
    return Answer(question, sentences, [("claim C", "claim-C"), ("table", "compare")])


def fixed_vector(material: Material) -> Answer:
    """Claim C (b): quality by the source's length, beside a model with attention."""
    question = "Where does the single fixed vector fail?"
    sentences = []
    for some in by_dataset([one for one in material.groups if lengths(one) and not one.own]).values():
        attention = next((one for one in some if one.architecture == "bahdanau"), None)
        fixed = [one for one in some if one.architecture in FIXED]
        if attention and fixed:
            sentences += _falls([*fixed, attention])
    if not sentences:
        return Answer(question, run="make reproduce-C")
    return Answer(question, sentences, [("plots by length", "length")])


def _falls(groups: Sequence[Group]) -> list[str]:
    """From the first length to the last, of each group; beyond training from its last to the test's."""
    metric, labels = length_metric(groups), buckets(groups)
    if metric is None or len(labels) < 2:
        return []
    trained = trained_to(groups[0])
    start = labels[0]
    if trained:
        start = max((one for one in labels if int(one.split("–")[-1].rstrip("+")) <= trained), key=labels.index)
    end = labels[-1]
    word, percent = BY_LENGTH[metric], metric != "bleu"
    names, falls = named(groups), {}
    for one in groups:
        values = [lengths_of(run, metric) for run in one.runs]
        first = [found[start] for found in values if start in found]
        last = [found[end] for found in values if end in found]
        if first and last:
            falls[one.id] = (sum(first) / len(first), sum(last) / len(last))

    def shown(value: float) -> str:
        return f"{value:.0%}" if percent else f"{value:.1f}"

    parts = [f"{names[key]} {shown(a)} → {shown(b)}" for key, (a, b) in falls.items()]
    where = f"{groups[0].dataset}, from sources of {start} to {end} tokens"
    beyond = f" (training ended at {trained})" if trained else ""
    sentences = [f"{where}{beyond}, {word}: {', '.join(parts)}."]
    attention = groups[-1].id
    if attention in falls and len(falls) > 1:
        kept = {key: b / a if a else 0.0 for key, (a, b) in falls.items()}
        worse = [names[key] for key in kept if key != attention and kept[key] < kept[attention]]
        if len(worse) == len(kept) - 1:
            sentences.append(
                "Every model with a fixed vector loses a larger share of its quality than the one with attention."
            )
        elif worse:
            sentences.append(
                f"Of those with a fixed vector only {' and '.join(worse)} lost a larger share than attention."
            )
        else:
            sentences.append(
                "None with a fixed vector lost a larger share than the one with attention: no effect here."
            )
    return sentences


def phase_1(material: Material) -> Answer:
    """Claim G: a validation loss on text of which some stands in training, beside one on text that does not."""
    question = "Does claim G's phase-1 loss mean anything?"
    first = material.group("G", "phase1")
    loss = "teacher_forced/loss"
    inside = first.metric(loss, "val") if first else None
    if first is None or inside is None:
        return Answer(question, run="make reproduce-G")
    sentences = []
    other, leaks = first.metric(loss, "val_other"), first.leaks()
    text = f"Phase 1 validates on the same notes: loss {inside:.2f}"
    text += f", with {leaks.mean:.1%} of its sentences standing in training word for word" if leaks else ""
    sentences.append(text + ".")
    second = material.group("G", "phase2")
    outside = other or (second.metric(loss, "val") if second else None)
    if outside:
        sentences.append(f"On a story that has nothing to do with the notes it is {outside:.2f}.")
    planted = [
        (share, found.mean)
        for share in (0, 10, 50)
        if (one := material.group("G", f"planted_{share}")) and (found := one.metric(loss, "val"))
    ]
    if len(planted) > 1:
        falls = all(a[1] > b[1] for a, b in pairwise(planted))
        sentences.append(
            f"With {', '.join(f'{share}%' for share, _ in planted)} of validation planted in training it is"
            f" {', '.join(f'{value:.2f}' for _, value in planted)}"
            + (": such a loss falls with what is repeated, whatever the model understands." if falls else ".")
        )
    if outside and outside.mean > inside.mean:
        sentences.append("So not by itself: it says how alike the two texts are, more than how well the model writes.")
    return Answer(question, sentences, [("claim G", "claim-G"), ("leakage", "leakage")])


def swept(material: Material) -> Answer:
    """What pruning saved, and what the search found."""
    question = "What did the sweep save?"
    if not material.sweeps:
        return Answer(question, run="make sweep")
    sentences = []
    for sweep in material.sweeps:
        done, full = saved(sweep)
        states = [one["state"] for one in sweep["trials"]]
        pruned = states.count("PRUNED")
        text = f"{sweep['study']}: {states.count('COMPLETE')} trials complete, {pruned} pruned; {done:,} validations"
        text += (
            f" instead of {full:,}: {1 - done / full:.0%} saved." if full and pruned else ", nothing saved by pruning."
        )
        best, start = trial(sweep, sweep["best"]), baseline(sweep)
        if best:
            text += f" The best, trial {best['number']}, came to {best['value']:.4g}"
            if start and start is not best:
                text += f"; the configuration as it stood to {start['value']:.4g}"
            text += "."
        sentences.append(text)
    return Answer(question, sentences, [("sweeps", "sweeps")])


def _significance(material: Material, a: Group, b: Group, metric: str) -> str:
    """A sentence on a paired test of two groups."""
    test = material.significance(a, b, metric)
    if test is None or test.get("p") is None:
        return "Whether the difference is more than chance has not been tested."
    verdict = "significant" if test["p"] < SIGNIFICANT else "not significant"
    return f"The difference is {verdict} (paired bootstrap over {test['samples']:,} test sets, p = {test['p']:.2g})."


def _direction(change: float) -> str:
    return "It raised" if change > 0 else "It lowered"


def _of(group: Group, metric: str) -> str:
    found = group.metric(metric)
    return "–" if found is None else format(found, form(metric))


def _mean(figure: Spread | None) -> float:
    return float("nan") if figure is None else figure.mean


def _figure(value: float, word: str) -> str:
    return format(value, FORMS.get(word, ".3g"))


def _seeds(group: Group) -> str:
    return f" over {len(group.runs)} seeds" if len(group.runs) > 1 else " with one seed"
