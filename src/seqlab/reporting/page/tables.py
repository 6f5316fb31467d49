"""The page's tables: claims, architectures side by side, leakage, commands. A cell knows how it sorts and where its
figure comes from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra_pruning_sweeper.messages import duration
from seqlab.metrics.registry import METRICS, entry_of
from seqlab.reporting.page.groups import USUAL, RunGroup, Spread, by_dataset, comparable, named, quality
from seqlab.reporting.page.sources import Material
from seqlab.reproduction.reference import OPEN, remake
from seqlab.runs.output_classes import IN_WORDS, RULE

BEST = "best"
COMPARED = [one.key for one in reversed(METRICS) if one.on_page]


@dataclass(frozen=True)
class TableCell:
    """What a table shows.

    Args:
        text: the figure or word.
        value: by which it sorts; None: by its text.
        group: whose runs made it.
        best: whether no other in its column is better.
    """

    text: str
    value: float | None = None
    group: RunGroup | None = None
    best: bool = False


@dataclass(frozen=True)
class Table:
    """Heads with what they mean, and rows."""

    id: str
    title: str
    heads: list[tuple[str, str]]
    rows: list[list[TableCell]]
    note: str = ""


@dataclass(frozen=True)
class ClaimCard:
    """A claim as the page shows it: what was claimed, its criteria, its verdict and its runs."""

    id: str
    name: str
    title: str
    verdict: str
    why: str
    text: str = ""
    source: str = ""
    published: list[str] = field(default_factory=list)
    partial: str = ""
    target: str = ""
    criteria: list[dict[str, Any]] = field(default_factory=list)
    groups: list[RunGroup] = field(default_factory=list)
    time: str = ""
    machine: str = ""


def claim_cards(material: Material) -> list[ClaimCard]:
    """Every claim with its criteria, as its reference judges them."""
    return [
        ClaimCard(
            id=f"claim-{_name(claim)}",
            name=_name(claim),
            title=claim.get("title", ""),
            text=claim.get("text", ""),
            source=claim.get("source", ""),
            published=claim.get("published", []),
            partial=claim.get("partial") or "",
            target=remake(claim),
            verdict=claim["verdict"],
            why="" if claim.get("partial") and claim["verdict"] == OPEN else claim.get("why") or "",
            criteria=[{"why": "", **one} for one in claim["criteria"]],
            groups=[one for one in material.groups if one.is_of(claim) and not one.own],
            time=duration(claim["seconds"]) if "seconds" in claim else "",
            machine=", ".join(f"{value} {name}" for name, value in (claim.get("machine") or {}).items()),
        )
        for claim in material.claims
    ]


def _name(claim: dict[str, Any]) -> str:
    return claim["claim"] if claim["profile"] == USUAL else f"{claim['claim']}-{claim['profile']}"


def comparisons(material: Material) -> list[Table]:
    """A table a dataset: architectures in rows, quality first."""
    return [
        _without_empty(_comparison(material, place(material, dataset), dataset, groups))
        for dataset, groups in by_dataset(material.groups).items()
    ]


def place(material: Material, dataset: str) -> str:
    """The id of a dataset's table."""
    return f"compare-{list(by_dataset(material.groups)).index(dataset)}"


def _comparison(material: Material, id: str, dataset: str, groups: Sequence[RunGroup]) -> Table:
    names, same, main = named(groups), comparable(groups), quality(groups)
    metrics = [name for name in COMPARED if any(one.metric(name) for one in groups)]
    best = {name: _best(groups, name) if same else [] for name in metrics}
    top = best[main][0] if main and best.get(main) else None
    heads = [("runs of", "architecture, and what else sets it apart"), ("seeds", "runs that differ in nothing else")]
    heads += [(entry_of(name).label, _meaning(name)) for name in metrics]
    tested = f"paired bootstrap of {entry_of(main).label} over the test examples: says nothing of seeds" if main else ""
    heads += [("p over examples", tested)] if main and top else []
    heads += [(head, meaning) for head, meaning, *_ in COSTS]
    rows = []
    for one in groups:
        cells = [TableCell(names[one.id], group=one), TableCell(str(len(one.seeds)), len(one.seeds), one)]
        cells += [
            _cell(one, one.metric(name), entry_of(name).form, best=any(one is other for other in best[name]))
            for name in metrics
        ]
        cells += [_against(material, one, top, main)] if main and top else []
        cells += [_cell(one, cost(one), written) for _, _, written, cost in COSTS]
        rows.append(cells)
    return Table(id, dataset, heads, rows, _split_note(groups))


def _work(group: RunGroup) -> Spread | None:
    flops = group.figure("training", "flops")
    return Spread(flops.mean / 1e12, flops.sd / 1e12, flops.count) if flops else None


def _speed(group: RunGroup) -> Spread | None:
    return group.figure("training", "tokens_per_second")


COSTS: tuple[tuple[str, str, str, Callable[[RunGroup], Spread | None]], ...] = (
    ("parameters", "weights of the model", ",.0f", lambda one: one.figure("parameters")),
    ("tokens/s", "target tokens without padding a second of training", ",.0f", _speed),
    ("training s", "seconds without validation", ",.0f", lambda one: one.figure("training", "seconds")),
    ("TFLOP", "operations of training in matrix products, in 10¹²", ",.3g", _work),
    ("val leaks", "validation sentences that stand in training, word for word", ".1%", RunGroup.leaks),
)


def _split_note(groups: Sequence[RunGroup]) -> str:
    splits = sorted({one.split for one in groups})
    devices = sorted({f"{device}, threads: {threads}" for one in groups for device, threads in one.devices})
    note = f"Quality on {' or '.join(splits)}; mean ± sample standard deviation over seeds; on {' and '.join(devices)}."
    note += " Seconds compare only on one machine." if len(devices) > 1 else ""
    if any(run.get("references") == "first" for one in groups for run in one.runs):
        note += " No p of what was measured with several references, as the predictions hold the first of them alone."
    others = sorted({one.profile for one in groups} - {USUAL}) if len({one.profile for one in groups}) > 1 else []
    note += "".join(f" “{profile}”: run with PROFILE={profile}, at another size or length." for profile in others)
    return note if comparable(groups) else f"{note} Rows were measured on different texts, so that none is called best."


def _meaning(metric: str) -> str:
    kind, _, _ = metric.partition("/")
    words = {
        "free_running": "the model goes on from its own outputs",
        "teacher_forced": "given the right tokens so far",
    }
    said = f"{words.get(kind, kind)}; {'more' if entry_of(metric).more_is_better else 'less'} is better"
    return f"BLEU over lower-cased words and punctuation marks; {said}" if metric.endswith("token_bleu") else said


def _best(groups: Sequence[RunGroup], metric: str) -> list[RunGroup]:
    """Those whose mean is best, of several, as far as the table shows it; none where all are."""
    measured = [(found.mean, one) for one in groups if (found := one.metric(metric))]
    if len(measured) < 2:
        return []
    sign = 1 if entry_of(metric).more_is_better else -1
    top = max(measured, key=lambda pair: sign * pair[0])
    best = [top[1], *(one for value, one in measured if one is not top[1] and _alike(value, top[0], metric))]
    return best if len(best) < len(measured) else []


def _alike(value: float, other: float, metric: str) -> bool:
    return format(value, entry_of(metric).form) == format(other, entry_of(metric).form)


def _cell(group: RunGroup, figure: Spread | None, written: str, best: bool = False) -> TableCell:
    if figure is None:
        return TableCell("", None, group)
    return TableCell(format(figure, written), figure.mean, group, best)


def _against(material: Material, one: RunGroup, top: RunGroup, metric: str) -> TableCell:
    if one is top:
        return TableCell(BEST, 2.0, one)
    test = material.significance(one, top, entry_of(metric).label)
    return (
        TableCell("", None, one)
        if test is None or test.get("p") is None
        else TableCell(f"{test['p']:.2g}", test["p"], one)
    )


def _without_empty(table: Table) -> Table:
    """Without columns in which no row has anything."""
    kept = [i for i in range(len(table.heads)) if any(row[i].text not in ("", BEST) for row in table.rows)]
    rows = [[row[i] for i in kept] for row in table.rows]
    return Table(table.id, table.title, [table.heads[i] for i in kept], rows, table.note)


def leakage(material: Material) -> Table | None:
    """What of validation and test stands in training: a row a dataset, split and side."""
    rows, seen = [], set()
    for one in material.groups:
        for split, sides in one.runs[0].get("leakage", {}).items():
            for side, found in sides.items():
                grams, near = found.get("ngrams") or {}, found.get("nearest") or {}
                setting = one.label if one.claim else one.architecture
                figures = [found.get("copies"), near.get("near_copies"), *(grams.get(str(n)) for n in (5, 10, 15))]
                key = (one.dataset, split, side, *figures)
                if key not in seen:
                    seen.add(key)
                    where = [
                        TableCell(one.dataset, group=one),
                        TableCell(setting, group=one),
                        TableCell(split),
                        TableCell(side),
                    ]
                    rows.append([*where, *(_share(value, one) for value in figures)])
    heads = [
        ("data", "what was trained on"),
        ("as in", "a run that was made of it"),
        ("split", "held out"),
        ("side", "of a pair"),
        ("copies", "sentences that stand in training, word for word"),
        ("near copies", "sentences of which a training sentence says nearly the same"),
        *((f"{n}-grams", f"runs of {n} tokens that stand in training") for n in (5, 10, 15)),
    ]
    return Table("leaks", "What of the held-out text stands in training", heads, rows) if rows else None


def replayed(replay: dict[str, Any]) -> Table:
    """Ways of searching on recorded curves: what each finds, and what it spends."""
    from seqlab.reporting.readme.replay import HEADS, note, rows

    first, *others = HEADS
    meant = [(first, "sampler and pruner"), *((one, "mean ± standard deviation over seeds") for one in others[:-1])]
    heads = [*meant, (others[-1], "how soon it is as good as the first row in the end, in the median")]
    return Table("replay-rows", "", heads, [[TableCell(text) for text in row] for row in rows(replay)], note(replay))


def _share(value: float | None, group: RunGroup) -> TableCell:
    return TableCell("", None, group) if value is None else TableCell(f"{value:.2%}", value, group)


def rules(groups: Sequence[RunGroup]) -> list[str]:
    """The rules by which outputs were sorted, in words."""
    numbers = {run["failures"]["rule"] for one in groups for run in one.runs if run.get("failures")}
    earlier = "Some runs were sorted by an earlier rule: their counts compare with care."
    return [IN_WORDS] * (RULE in numbers) + [earlier] * bool(numbers - {RULE})


def failures(groups: Sequence[RunGroup]) -> Table | None:
    """Classes of outputs, a row an architecture; of groups of one dataset."""
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
    heads = [("runs of", "all seeds together"), *((name, "share of the outputs, and how many") for name in classes)]
    return Table("", "", heads, rows)


def versions(material: Material) -> list[tuple[str, str]]:
    """What the runs were made with: each version with all values that occur."""
    found: dict[str, dict[str, None]] = {}
    for one in material.groups:
        for run in one.runs:
            for name, value in run.get("environment", {}).items():
                found.setdefault(name, {})[str(value)] = None
    return [(name, ", ".join(values)) for name, values in found.items()]
