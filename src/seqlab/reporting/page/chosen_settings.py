"""What the searches before the runs of claims chose: a table per claim."""

from __future__ import annotations

from seqlab.reporting.page.group_names import slug
from seqlab.reporting.page.groups import RunGroup
from seqlab.reporting.page.headings import claim_name
from seqlab.reporting.page.sources import Material
from seqlab.reporting.page.tables import Table, TableCell

DIGITS = ".3g"
FIXED = "fixed"
"""In place of a setting that a search did not have."""


def chosen_settings(material: Material) -> list[Table]:
    """A row per search, a column per setting that was searched for."""
    tables = []
    for claim in material.claims:
        groups = [one for one in material.groups if one.is_of(claim) and not one.is_users and one.search]
        if groups:
            name = claim_name(claim)
            tables.append(_table(f"chosen-{slug(name)}", f"{name}: {claim.get('title', '')}", groups))
    return tables


def _table(id: str, title: str, groups: list[RunGroup]) -> Table:
    chosen = {one.id: dict(word.split("=", 1) for word in (one.search or {}).get("chosen", ())) for one in groups}
    settings = list(dict.fromkeys(name for values in chosen.values() for name in values))
    heads = [("runs of", "what was searched for"), *((name, _ranges(groups, name)) for name in settings)]
    rows = [
        [TableCell(one.label, group=one), *(_cell(chosen[one.id].get(name, FIXED), one) for name in settings)]
        for one in groups
    ]
    ranges = "; ".join(f"`{name}` in `{some}`" for name, some in heads[1:] if some)
    return Table(id, title, heads, rows, f"Chosen by the lowest loss on validation, with one seed. Searched: {ranges}.")


def _ranges(groups: list[RunGroup], setting: str) -> str:
    """What was searched over, in the syntax of a sweep."""
    spaces = dict.fromkeys((one.search or {}).get("space", {}).get(setting, "") for one in groups)
    return " or ".join(filter(None, spaces))


def _cell(value: str, group: RunGroup) -> TableCell:
    try:
        number = float(value)
    except ValueError:
        return TableCell(value, None, group)
    return TableCell(value if number.is_integer() else format(number, DIGITS), number, group)
