"""The question matrix: which shipped catalogue holds the facts for which of the twenty-seven questions.

It is data (``data/questions.toml``), so that a test can hold it to the catalogues and a page can be generated from it.
"""

from __future__ import annotations

import json
import tomllib
from functools import lru_cache
from importlib import resources
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trustquery.catalogue.loader import available, load

__all__ = ["Question", "Support", "questions", "render_questions"]

ColumnName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Support(_Strict):
    """What one catalogue offers for one question.

    Attributes:
        answered: whether it holds every fact that the question needs.
        uses: the columns it rests on, as table.column.
        note: what to know, or the reason why not.
    """

    answered: bool
    uses: tuple[ColumnName, ...] = ()
    note: str = ""

    @model_validator(mode="after")
    def _coherent(self) -> Support:
        if self.answered and not self.uses:
            raise ValueError("an answered question names the columns it uses")
        if not self.answered and not self.note:
            raise ValueError("a question that is not answered says why")
        return self


class Question(_Strict):
    """One question, what the query language must do for it, and each catalogue's support."""

    number: int = Field(ge=1)
    question: str
    needs: str
    support: dict[str, Support]


@lru_cache(maxsize=1)
def questions() -> tuple[Question, ...]:
    """All questions in order; every entry covers every shipped catalogue."""
    text = (resources.files("trustquery.catalogue") / "data" / "questions.toml").read_text(encoding="utf-8")
    found = tuple(_question(entry) for entry in tomllib.loads(text)["questions"])
    if [item.number for item in found] != list(range(1, len(found) + 1)):
        raise AssertionError("questions.toml: numbers must run from 1 without a gap")
    return found


def _question(entry: dict[str, Any]) -> Question:
    names = available()
    data = {key: value for key, value in entry.items() if key not in names}
    data["support"] = {name: entry[name] for name in names}
    return Question.model_validate_json(json.dumps(data))


def render_questions() -> str:
    """The reference page ``docs/reference/questions.md``: one row per question, one column per catalogue."""
    names = available()
    lines = [
        "# The 27 questions and the shipped catalogues",
        "",
        "A catalogue answers a question when it holds every fact that the question needs. The columns named are where",
        "they are. The last column is what the query language must do. † marks answers that do not add up over trusts.",
        "[Each question in SQL](questions-in-sql.md) shows how it is asked.",
        "",
    ]
    for name in names:
        count = sum(item.support[name].answered for item in questions())
        lines.append(f"- `{name}` ({load(name).title}): {count} of {len(questions())}")
    lines += [
        "",
        "| # | Question | " + " | ".join(f"`{name}`" for name in names) + " | Language |",
        "|--:|---|" + "---|" * len(names) + "---|",
    ]
    for item in questions():
        cells = [_cell(item.support[name]) for name in names]
        lines.append(f"| {item.number} | {item.question} | " + " | ".join(cells) + f" | {item.needs} |")
    return "\n".join(lines) + "\n"


def _cell(support: Support) -> str:
    if not support.answered:
        return f"No: {support.note}"
    return f"Yes: {', '.join(f'`{name}`' for name in support.uses)}" + (f" ({support.note})" if support.note else "")
