"""The page's tables: claims, architectures side by side, leakage, failures, versions.

A cell knows the value it sorts by and the runs that its figure comes from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra_pruning_sweeper.messages import duration, plural, true_minus
from seqlab.metrics.registry import EXACT_MATCH, LOSS, METRICS, entry_of, notes
from seqlab.reporting import replay_table
from seqlab.reporting.page.cost_columns import BESIDE_QUALITY, FURTHER_COSTS
from seqlab.reporting.page.group_names import named
from seqlab.reporting.page.groups import RunGroup, by_dataset
from seqlab.reporting.page.headings import claim_name, heading, title
from seqlab.reporting.page.judging import comparable, quality, unsuited
from seqlab.reporting.page.sources import Material
from seqlab.reproduction.claim import USUAL_PROFILE
from seqlab.reproduction.reference import OPEN, all_seconds, deciding, remake
from seqlab.runs.output_classes import IN_WORDS, RULE
from seqlab.runs.small_splits import uncertainty
from seqlab.runs.spread import Spread

COMPARISON = "comparison"
"""In place of a verdict: nothing was to be judged."""
BEST = "leads"
CHANCE = "p over examples"
DIVERGED = 100.0
"""Loss in nats per token above which a run diverged: a uniform guess among a million tokens costs 14."""
COMPARED = [one.key for one in reversed(METRICS) if one.on_page]


@dataclass(frozen=True)
class TableCell:
    """A cell of a table.

    Args:
        text: the figure or word.
        value: what it sorts by; None: its text.
        group: the runs that made it.
        best: whether no other in its column is better.
    """

    text: str
    value: float | None = None
    group: RunGroup | None = None
    best: bool = False


@dataclass(frozen=True)
class Table:
    """A table; `heads` are (text, meaning)."""

    id: str
    title: str
    heads: list[tuple[str, str]]
    rows: list[list[TableCell]]
    note: str = ""


@dataclass(frozen=True)
class ClaimCard:
    """A claim as the page shows it: what was claimed, its criteria, its verdict and its runs.

    Args:
        like: the id and name of an earlier claim with the same text, run in another profile, which is not repeated.
    """

    id: str
    name: str
    title: str
    verdict: str
    why: str
    text: str = ""
    like: tuple[str, str] | None = None
    profile: str = USUAL_PROFILE
    source: str = ""
    published: list[str] = field(default_factory=list)
    partial: str = ""
    target: str = ""
    criteria: list[dict[str, Any]] = field(default_factory=list)
    groups: list[RunGroup] = field(default_factory=list)
    time: str = ""
    machine: str = ""


def claim_cards(material: Material) -> list[ClaimCard]:
    """Every claim with its criteria, as its reference file judges them."""
    first: dict[tuple[str, str], str] = {}  # claim and text → the name under which it is shown first
    for claim in material.claims:
        first.setdefault((claim["claim"], claim.get("text", "")), claim_name(claim))
    return [
        ClaimCard(
            id=f"claim-{claim_name(claim)}",
            name=claim_name(claim),
            title=claim.get("title", ""),
            text=claim.get("text", ""),
            like=(f"claim-{name}", name)
            if (name := first[claim["claim"], claim.get("text", "")]) != claim_name(claim)
            else None,
            profile=claim["profile"],
            source=claim.get("source", ""),
            published=claim.get("published", []),
            partial=claim.get("partial") or "",
            target=remake(claim),
            verdict=claim["verdict"] if deciding(claim) else COMPARISON,
            why="" if claim.get("partial") and claim["verdict"] == OPEN else claim.get("why") or "",
            criteria=[{"why": "", **one} for one in claim["criteria"]],
            groups=[one for one in material.groups if one.is_of(claim) and not one.is_users],
            time=duration(all_seconds(claim)) if "seconds" in claim else "",
            machine=", ".join(f"{value} {name}" for name, value in (claim.get("machine") or {}).items()),
        )
        for claim in material.claims
    ]


def claims_and_comparisons(claims: Sequence[dict[str, Any]]) -> str:
    """How many references are claims, and how many compare without a criterion, in words."""
    judged = sum(bool(deciding(one)) for one in claims)
    parts = [(judged, "claim"), (len(claims) - judged, COMPARISON)]
    return " and ".join(plural(count, noun) for count, noun in parts if count) or "no claims"


def comparisons(material: Material) -> list[Table]:
    """A table per dataset: a row per architecture, quality first."""
    return [
        without_empty(_comparison(material, table_id(material, dataset), groups))
        for dataset, groups in by_dataset(material.groups).items()
    ]


def table_id(material: Material, dataset: str) -> str:
    """The id of a dataset's table."""
    return f"compare-{list(by_dataset(material.groups)).index(dataset)}"


def _comparison(material: Material, id: str, groups: Sequence[RunGroup]) -> Table:
    names, same, main = named(groups), comparable(groups), quality(groups)
    metrics = [name for name in COMPARED if name not in unsuited(groups) and any(one.metric(name) for one in groups)]
    metrics.sort(key=lambda name: name != main)
    best = {name: _best(groups, name) if same else [] for name in metrics}
    top = best[main][0] if main and best.get(main) else None
    heads = [
        ("runs of", "architecture, and what else tells it from others"),
        ("seeds", "runs that differ in their seed alone"),
    ]
    measured = [(entry_of(name).label, _meaning(name)) for name in metrics]
    beside, further = ([(one.head, one.meaning) for one in some] for some in (BESIDE_QUALITY, FURTHER_COSTS))
    against_leader = "against the leader: paired bootstrap over the test examples"
    tested = [(CHANCE, against_leader)] if main and top else []
    heads += [*measured[:1], *tested, *beside, *measured[1:], *further]
    rows = []
    for one in groups:
        cells = [TableCell(names[one.id], group=one), TableCell(str(len(one.seeds)), len(one.seeds), one)]
        figures = [metric_cell(one, name, best=any(one is other for other in best[name])) for name in metrics]
        near, far = (
            [figure_cell(one, of.figure(one), of.form) for of in some] for some in (BESIDE_QUALITY, FURTHER_COSTS)
        )
        against = [_against(material, one, top, main)] if main and top else []
        rows.append([*cells, *figures[:1], *against, *near, *figures[1:], *far])
    if main and same:
        sign = -1 if entry_of(main).more_is_better else 1
        rows.sort(key=lambda row: sign * float(row[2].value or 0))
    return Table(id, title(groups), heads, rows, _split_note(groups, metrics) + _small_splits(groups, names))


def _split_note(groups: Sequence[RunGroup], metrics: Sequence[str]) -> str:
    splits = sorted({one.split for one in groups})
    devices = sorted({f"{device}, threads: {threads}" for one in groups for device, threads in one.devices})
    note = f"Quality on {' or '.join(splits)}; mean ± sample standard deviation over seeds; on {' and '.join(devices)}."
    note += "".join(f" {sentence}" for sentence in notes(metrics))
    if any(run.get("references") == "first" for one in groups for run in one.runs):
        note += " There is no p where several references were used, as the saved predictions hold only the first."
    profiles = {one.profile for one in groups}
    others = sorted(profiles - {USUAL_PROFILE}) if len(profiles) > 1 else []
    note += "".join(
        f" “{profile}”: run with PROFILE={profile}, with other model sizes or training lengths." for profile in others
    )
    return note if comparable(groups) else f"{note} The rows were evaluated on different texts, so none is called best."


def _small_splits(groups: Sequence[RunGroup], names: Mapping[str, str]) -> str:
    """Sentences on how uncertain the exact match of groups is that were evaluated on few examples."""
    note = ""
    for one in groups:
        share, count = one.metric(EXACT_MATCH), one.results[0].measured.get(one.split)
        if share is not None and count and (line := uncertainty(one.split, count, share.mean)):
            note += f" {names[one.id]}: {line}."
    return note


def _meaning(metric: str) -> str:
    kind, _, _ = metric.partition("/")
    words = {
        "free_running": "the model continues from its own outputs",
        "teacher_forced": "the model is given the right tokens so far",
    }
    entry = entry_of(metric)
    parts = [words.get(kind, kind), *([entry.note] if entry.note else [])]
    parts += ["the mean over tokens, in which long outputs count more"] if entry.averaged == "token" else []
    return "; ".join([*parts, f"{'more' if entry.more_is_better else 'less'} is better"])


def _best(groups: Sequence[RunGroup], metric: str) -> list[RunGroup]:
    """The groups with the best mean, as the table rounds it; none where all are equal or only one has the metric."""
    measured = [(figure.mean, one) for one in groups if (figure := one.metric(metric))]
    if len(measured) < 2:
        return []
    sign = 1 if entry_of(metric).more_is_better else -1
    top = max(measured, key=lambda pair: sign * pair[0])
    best = [top[1], *(one for value, one in measured if one is not top[1] and _alike(value, top[0], metric))]
    return best if len(best) < len(measured) else []


def _alike(value: float, other: float, metric: str) -> bool:
    return format(value, entry_of(metric).form) == format(other, entry_of(metric).form)


def metric_text(group: RunGroup, metric: str) -> str:
    """A metric with its spread over seeds, or in how many seeds it diverged; "" where the group does not have it."""
    figure = group.metric(metric)
    if figure is None:
        return ""
    if diverged := diverged_seeds(group, metric):
        return f"diverged in {diverged} of {figure.count} seeds" if figure.count > 1 else "diverged"
    return format(figure, entry_of(metric).form)


def diverged_seeds(group: RunGroup, metric: str) -> int:
    """The number of seeds whose loss is above `DIVERGED`; 0 for other metrics."""
    return sum(loss > DIVERGED for loss in group.metric_by_seed(metric)) if metric == LOSS else 0


def metric_cell(group: RunGroup, metric: str, best: bool = False) -> TableCell:
    """A metric of the compared split as a cell; empty where it was not measured."""
    figure = group.metric(metric)
    return TableCell(metric_text(group, metric), figure.mean if figure else None, group, best)


def figure_cell(group: RunGroup, figure: Spread | None, form: str) -> TableCell:
    """Any other figure of a group as a cell; empty where there is none."""
    if figure is None:
        return TableCell("", None, group)
    return TableCell(true_minus(format(figure, form)), figure.mean, group)


def _against(material: Material, one: RunGroup, top: RunGroup, metric: str) -> TableCell:
    if one is top:
        return TableCell(BEST, 2.0, one)
    test = material.significance(one, top, entry_of(metric).label)
    return (
        TableCell("", None, one)
        if test is None or test.get("p") is None
        else TableCell(_written_p(test), test["p"], one)
    )


def _written_p(test: Mapping[str, Any]) -> str:
    """The p of a paired bootstrap, which is never below twice one of its samples."""
    least = test["p"] <= 2 / test["samples"]
    return ("≤\u00a0" if least else "") + format(test["p"], ".2g")


def without_empty(table: Table) -> Table:
    """The table without columns that are empty in every row, with a note on the signs that are left in it."""
    kept = [i for i in range(len(table.heads)) if any(row[i].text not in ("", BEST) for row in table.rows)]
    heads, rows = [table.heads[i] for i in kept], [[row[i] for i in kept] for row in table.rows]
    note = table.note
    if any(cell.best for row in rows for cell in row):
        note += " Bold: the best of a column."
    if any(head == CHANCE for head, _ in heads):
        note += (
            " p over examples: how often chance alone, in the choice of test examples, would give a difference to the"
            " row that leads as large as this one; below 0.05 it is called unlikely. Whether other seeds would give"
            " it, too, it does not tell: the answers above look at both."
        )
    if any(not cell.text for row in rows for cell in row):
        note += " –: not measured."
    return Table(table.id, table.title, heads, rows, note)


def leakage(material: Material) -> Table | None:
    """How much of validation and test appears in training: a row per dataset, split and side."""
    rows, seen = [], set()
    for one in material.groups:
        for split, sides in one.runs[0].get("leakage", {}).items():
            for side, shares in sides.items():
                grams, near = shares.get("ngrams") or {}, shares.get("nearest") or {}
                setting = named([one])[one.id] if one.is_users or not one.claim else one.label
                figures = [shares.get("copies"), near.get("near_copies"), *(grams.get(str(n)) for n in (5, 10, 15))]
                key = (one.dataset, split, side, *figures)
                if key not in seen:
                    seen.add(key)
                    where = [
                        TableCell(heading(one), group=one),
                        TableCell(setting, group=one),
                        TableCell(split),
                        TableCell(side),
                    ]
                    rows.append([*where, *(_share(value, one) for value in figures)])
    heads = [
        ("data", "what was trained on"),
        ("run", "one that was trained on it"),
        ("split", "held out"),
        ("side", "source or target of a pair"),
        ("copies", "sentences that appear in training word for word"),
        ("near copies", "sentences with nearly the same words as a training sentence"),
        *((f"{n}-grams", f"sequences of {n} tokens that appear in training") for n in (5, 10, 15)),
    ]
    return Table("leaks", "Held-out text that appears in training", heads, rows) if rows else None


def replayed(replay: dict[str, Any]) -> list[Table]:
    """Ways of searching on recorded curves, a table per task: what each finds, and how many epochs it takes."""
    meanings = (
        "sampler and pruner",
        *("mean ± standard deviation over seeds",) * 2,
        "median, how many seeds came to it, and a 95 % interval",
        "its median as a share of that of the first row",
    )
    return [
        Table(
            f"replay-{task['task']}",
            replay_table.heading(task),
            list(zip(replay_table.HEADS, meanings, strict=True)),
            [[TableCell(text) for text in row] for row in replay_table.rows(task)],
            replay_table.note(task, replay),
        )
        for task in replay["tasks"]
    ]


def _share(value: float | None, group: RunGroup) -> TableCell:
    return TableCell("", None, group) if value is None else TableCell(f"{value:.2%}", value, group)


def rules(groups: Sequence[RunGroup]) -> list[str]:
    """The rules by which outputs were classified, in words."""
    numbers = {run["failures"]["rule"] for one in groups for run in one.runs if run.get("failures")}
    earlier = "Some runs were classified by an earlier rule: compare their counts with care."
    return [IN_WORDS] * (RULE in numbers) + [earlier] * bool(numbers - {RULE})


def failures(groups: Sequence[RunGroup]) -> Table | None:
    """Classes of outputs, a row per architecture, for groups of one dataset."""
    counted = [one for one in groups if all(run.get("failures") for run in one.runs)]
    if not counted:
        return None
    classes = dict.fromkeys(name for one in counted for run in one.runs for name in run["failures"]["counts"])
    names = named(counted)
    rows = []
    for one in counted:
        total = sum(sum(run["failures"]["counts"].values()) for run in one.runs)
        cells = [TableCell(names[one.id], group=one)]
        for name in classes:
            count = sum(run["failures"]["counts"].get(name, 0) for run in one.runs)
            cells.append(TableCell(f"{count / total:.1%} ({count:,})" if total else "", count / max(1, total), one))
        rows.append(cells)
    heads = [
        ("runs of", "architecture; all seeds together"),
        *((name, "share of the outputs, and their number") for name in classes),
    ]
    return Table("", "", heads, rows)


def versions(material: Material) -> list[tuple[str, str]]:
    """What the runs were made with: each name with all values that occur."""
    values: dict[str, dict[str, None]] = {}
    for one in material.groups:
        for run in one.runs:
            for name, value in run.get("environment", {}).items():
                values.setdefault(name, {})[str(value)] = None
    return [(name, ", ".join(several)) for name, several in values.items()]
