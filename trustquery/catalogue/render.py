"""A catalogue as a reference page: every table and column, with what may be done with it."""

from __future__ import annotations

from trustquery.catalogue.schema import Catalogue, Column, Role, Table

__all__ = ["render_catalogue"]

_LONG_DOMAIN = 12
"""Domains longer than this are listed once at the end of the page instead of in the column's row."""

_ROLES = {
    Role.PERSON_KEY: "person key",
    Role.DIMENSION: "dimension",
    Role.MEASURE: "measure",
    Role.JOIN_ONLY: "join only",
    Role.FORBIDDEN: "forbidden",
}


def render_catalogue(catalogue: Catalogue) -> str:
    """Markdown for ``docs/reference/``: tables, columns, bounds and domains.

    Returns:
        One page, ending in a newline; the same catalogue gives the same text.
    """
    unit = catalogue.unit
    lines = [
        f"# Catalogue `{catalogue.id}`: {catalogue.title}",
        "",
        catalogue.description,
        "",
        f"**Privacy unit.** {unit.description} Declared: {unit.declared_people:,} people at a trust, and at most",
        f"{unit.max_trusts} trusts for one person. Sizes are public round numbers for forecasts, not counts of data.",
        "",
        "**Roles.** A *person key* counts people and joins tables. A *dimension* is grouped by and filtered on, a",
        "*measure* filtered on and aggregated. *Join only* columns link rows of one person. *Forbidden* columns are",
        "never answered.",
        "",
        f"Version {catalogue.version}. SHA-256 of the canonical text: `{catalogue.sha256}`",
        "",
        "| Table | What a row is | Rows declared | Row cap | Groups a person | Rows a group |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for table in catalogue.tables:
        lines.append(
            f"| [`{table.name}`](#{table.name}) | {table.description} | {table.declared_rows:,} | {table.row_cap:,} "
            f"| {table.max_groups_per_person:,} | {table.max_rows_per_group:,} |"
        )
    long_domains: list[tuple[Table, Column]] = []
    for table in catalogue.tables:
        once = " At most one row per person counts." if table.one_row_per_person else ""
        lines += ["", f"## {table.name}", "", f"{table.title}. {table.description}{once}", ""]
        lines += ["| Column | Type | Role | What it is | Values |", "|---|---|---|---|---|"]
        for column in table.columns:
            if column.domain and len(column.domain) > _LONG_DOMAIN:
                long_domains.append((table, column))
            cells = (f"`{column.name}`", column.type.value, _ROLES[column.role], column.description, _values(column))
            lines.append(f"| {' | '.join(cells)} |")
    lines += _domain_lines(long_domains)
    return "\n".join(lines) + "\n"


def _values(column: Column) -> str:
    """Bounds, dates and short domains of one column, in one table cell."""
    parts: list[str] = []
    if column.domain and len(column.domain) <= _LONG_DOMAIN:
        parts.append(", ".join(f"`{item.value}` {item.label}" for item in column.domain))
    elif column.domain:
        parts.append(f"{len(column.domain)} values, listed below")
    if column.bounds:
        parts.append(f"{column.bounds[0]:,} to {column.bounds[1]:,}")
    if column.fraction_bits:
        parts.append(f"in steps of 1/{2**column.fraction_bits}")
    if column.unit:
        parts.append(column.unit)
    if column.vocabulary:
        parts.append(f"codes of {column.vocabulary}")
    if column.earliest and column.latest:
        parts.append(f"{column.earliest} to {column.latest}")
    return "; ".join(parts) or "any"


def _domain_lines(found: list[tuple[Table, Column]]) -> list[str]:
    """Long domains, each once, with the columns that share it."""
    shared: dict[tuple[tuple[int | str, str], ...], list[str]] = {}
    for table, column in found:
        values = tuple((item.value, item.label) for item in column.domain or ())
        shared.setdefault(values, []).append(f"`{table.name}.{column.name}`")
    if not shared:
        return []
    lines = ["", "## Long lists of values"]
    for values, columns in shared.items():
        lines += ["", f"### {', '.join(columns)}", "", "| Value | Meaning |", "|---|---|"]
        lines += [f"| `{value}` | {label} |" for value, label in values]
    return lines
