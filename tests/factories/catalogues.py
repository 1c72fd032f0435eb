"""A small made-up dataset: one table with one row a person, two tables of events, columns of all six types.

Caps and default bounds are tiny, so that ten rows are enough to meet every one of them. ``dose`` keeps its person
key as text, the others as an integer: the key is compared as text everywhere.
"""

from functools import cache

from trustquery.catalogue import Catalogue, parse

__all__ = ["MADE_UP", "coded", "made_up"]

MADE_UP = """
format = "trustquery-catalogue/1"
id = "made-up"
version = 1
title = "Made up"
description = "A dataset for tests."

[unit]
name = "person"
description = "One person at one trust."
declared_people = 1000
max_trusts = 3

[domains.sex]
F = "Female"
M = "Male"
"é" = "Not ASCII"

[domains.kind]
1 = "One"
2 = "Two"
-3 = "Minus three"

[domains.drug]
aspirin = "Aspirin"
other = "A drug that is called other"
"" = "The empty text"

[[tables]]
name = "person"
title = "People"
description = "One row a person."
row_cap = 3
one_row_per_person = true
declared_rows = 1000
columns = [
  { name = "pid", type = "integer", role = "person-key", description = "the person" },
  { name = "sex", type = "text", role = "dimension", domain = "sex", description = "sex" },
  { name = "born", type = "integer", role = "measure", bounds = [1900, 2030], description = "year of birth" },
  { name = "score", type = "number", role = "measure", bounds = [-10, 10], description = "a score" },
  { name = "joined", type = "date", role = "dimension", description = "first day" },
  { name = "seen", type = "timestamp", role = "dimension", description = "last seen" },
  { name = "alive", type = "boolean", role = "dimension", description = "alive" },
  { name = "ward_id", type = "integer", role = "join-only", description = "row of another table" },
  { name = "nhs_number", type = "text", role = "forbidden", description = "identifies a person" },
]

[[tables]]
name = "event"
title = "Events"
description = "Any number of rows a person."
row_cap = 5
max_groups_per_person = 2
max_rows_per_group = 2
declared_rows = 5000
columns = [
  { name = "event_id", type = "integer", role = "join-only", description = "row number" },
  { name = "pid", type = "integer", role = "person-key", description = "the person" },
  { name = "kind", type = "integer", role = "dimension", domain = "kind", description = "kind of event" },
  { name = "code", type = "text", role = "dimension", description = "a code without a list" },
  { name = "amount", type = "number", role = "measure", bounds = [0, 100], description = "an amount" },
  { name = "cost", type = "number", role = "measure", description = "an amount without bounds" },
  { name = "size", type = "integer", role = "measure", bounds = [-5, 5], description = "a size" },
  { name = "total", type = "integer", role = "measure", description = "an integer without bounds" },
  { name = "day", type = "date", role = "dimension", description = "day of the event" },
  { name = "at", type = "timestamp", role = "dimension", description = "moment of the event" },
  { name = "flag", type = "boolean", role = "dimension", description = "a mark" },
]

[[tables]]
name = "dose"
title = "Doses"
description = "Any number of rows a person; its person key is text."
row_cap = 4
max_groups_per_person = 3
max_rows_per_group = 1
declared_rows = 5000
columns = [
  { name = "event_id", type = "integer", role = "join-only", description = "the event that it belongs to" },
  { name = "pid", type = "text", role = "person-key", description = "the person" },
  { name = "drug", type = "text", role = "dimension", domain = "drug", description = "the drug" },
  { name = "units", type = "integer", role = "measure", bounds = [0, 9007199254740991], description = "units given" },
  { name = "level", type = "number", role = "measure", bounds = [-1, 1], description = "a level" },
  { name = "given", type = "boolean", role = "dimension", description = "given or not" },
  { name = "started", type = "date", role = "dimension", description = "first day" },
  { name = "ended", type = "timestamp", role = "dimension", description = "end" },
]

[[tables]]
name = "ward"
title = "Wards"
description = "A public table."
kind = "public"
declared_rows = 10
columns = [
  { name = "ward_id", type = "integer", role = "dimension", description = "row number" },
]
"""


@cache
def made_up() -> Catalogue:
    """The dataset's catalogue."""
    return parse(MADE_UP, name="made-up")


@cache
def coded() -> Catalogue:
    """The same with two columns of vocabularies: ``event.code`` (text) and ``event.total`` (integer)."""
    text = MADE_UP.replace(
        'name = "code", type = "text", role = "dimension",',
        'name = "code", type = "text", role = "dimension", vocabulary = "icd10",',
    ).replace(
        'name = "total", type = "integer", role = "measure",',
        'name = "total", type = "integer", role = "dimension", vocabulary = "omop",',
    )
    return parse(text, name="made-up")
