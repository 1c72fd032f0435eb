"""Small tools for generated pages: Markdown, docstrings, and the fields of pydantic models."""

import inspect
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

FORMS = {
    "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$": "a plain name: letters, digits, dot, dash and underscore, at most 64",
    "^[0-9a-f]{64}$": "64 hexadecimal digits",
    "^([0-9a-f]{64})?$": "64 hexadecimal digits, or empty",
    "^[A-Z0-9]{3,8}$": "an ODS code",
}
LATEST = 4_102_444_800
SECTIONS = "Args|Args of note|Attributes|Raises|Returns|Example|Privacy|Source"


def join(*parts: str) -> str:
    """Blocks of a page, one blank line between them; an indented block of prose becomes one paragraph."""
    return "\n\n".join(" ".join(part.split()) if part.startswith("\n") else part.strip("\n") for part in parts) + "\n"


def above(path: str) -> str:
    """A link from `docs/reference` to a file of the repository."""
    return f"../../{path}"


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table; a bar inside a cell is escaped."""
    cells = [list(head), *([str(cell) for cell in row] for row in rows)]
    lines = ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in cells]
    return "\n".join([lines[0], "|" + "---|" * len(cells[0]), *lines[1:]])


def fence(text: str, language: str = "text") -> str:
    """A fenced block."""
    return f"```{language}\n{text.strip(chr(10))}\n```"


def code(text: object) -> str:
    """Inline code."""
    return f"`{text}`"


def sentence(text: str) -> str:
    """The same text as a sentence: capital at the start, full stop at the end."""
    text = " ".join(text.split())
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


def markdown(text: str) -> str:
    """A docstring's text as Markdown: one line, single backticks, and links to the pages that the code cites."""
    text = " ".join(text.replace("``", "`").split())
    text = re.sub(r" \(design section \d+\)", "", text)
    text = re.sub(r"\bprivacy-rules\.md section (\d)", r"[privacy rules, section \1](privacy-rules.md)", text)
    return re.sub(r"(?<![\w/(.])formats\.md", "[formats](formats.md)", text)


def paragraphs(text: str) -> str:
    """Several paragraphs of a docstring as Markdown."""
    return "\n\n".join(markdown(part) for part in text.split("\n\n"))


def doc(thing: object) -> str:
    """The docstring's prose: everything before its first section."""
    text = inspect.cleandoc(inspect.getdoc(thing) or "")
    return re.split(r"\n\n?(?=(?:Args|Args of note|Attributes|Raises|Returns|Example|Privacy|Source):)", text)[
        0
    ].strip()


def attributes(thing: object) -> dict[str, str]:
    """Field name to its words in the docstring's Attributes section."""
    text = inspect.cleandoc(inspect.getdoc(thing) or "")
    found: dict[str, str] = {}
    inside, name = False, ""
    for line in text.splitlines():
        if re.fullmatch(r"(Attributes|Args of note):", line):
            inside = True
        elif inside and line and not line.startswith(" "):
            inside = False
        elif inside and (match := re.match(r"    (\w+): (.*)", line)):
            name = match[1]
            found[name] = match[2]
        elif inside and name and line.strip():
            found[name] += " " + line.strip()
    return {key: markdown(value) for key, value in found.items()}


def codes_raised(thing: object) -> list[str]:
    """Error codes in the docstring's Raises section."""
    _, _, raises = inspect.cleandoc(inspect.getdoc(thing) or "").partition("Raises:")
    return re.findall(r"``([a-z]+-[a-z-]*[a-z…])``", raises)


def shape(schema: Mapping[str, Any]) -> str:
    """A JSON Schema property in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "const" in schema:
        return code(json.dumps(schema["const"]))
    if "enum" in schema:
        return "one of " + ", ".join(code(json.dumps(value)) for value in schema["enum"])
    if "anyOf" in schema:
        parts = [shape(part) for part in schema["anyOf"]]
        return " or ".join(dict.fromkeys(parts))
    if schema.get("pattern") in FORMS:
        return FORMS[schema["pattern"]]
    if schema.get("maximum") == LATEST:
        return "a time: whole seconds since 1970"
    kind = str(schema.get("type", "any"))
    if kind == "array":
        few = schema.get("minItems", 0)
        return (f"list of at least {few}: " if few else "list of: ") + shape(schema.get("items", {}))
    limits = [
        text
        for key, text in (
            ("pattern", "matching " + code(schema.get("pattern"))),
            ("minimum", f"≥ {schema.get('minimum'):,}" if "minimum" in schema else ""),
            ("exclusiveMinimum", f"> {schema.get('exclusiveMinimum'):,}" if "exclusiveMinimum" in schema else ""),
            ("maximum", f"≤ {schema.get('maximum'):,}" if "maximum" in schema else ""),
            ("maxLength", f"at most {schema.get('maxLength'):,} characters" if "maxLength" in schema else ""),
        )
        if key in schema
    ]
    return ", ".join([kind, *limits])


def fields(model: Any, schema: Mapping[str, Any] | None = None) -> str:
    """A table of a pydantic model's fields."""
    schema = schema or model.model_json_schema(mode="validation")
    words = attributes(model)
    rows = []
    for name, item in schema.get("properties", {}).items():
        default = item.get("default")
        needed = "yes" if name in schema.get("required", ()) else f"no ({code(json.dumps(default))})"
        rows.append([code(name), shape(item), needed, words.get(name, "")])
    head = ["Field", "Form", "Needed", "Meaning"]
    if not any(row[-1] for row in rows):
        head, rows = head[:-1], [row[:-1] for row in rows]
    return table(head, rows)
