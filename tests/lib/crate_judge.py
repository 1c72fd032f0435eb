"""Run by the interpreter of .rocrate-venv: what the RO-Crate validator says of a crate, as JSON on stdout.

The validator reads the JSON-LD context from the web. Here it is given the copy of 1.3 that ``rocrate`` ships. That one
stands for 1.1 too, with the one term put back that our workflow crates use and that has moved since. Anything else that
it asks of the web is missing.

Usage: crate_judge.py FOLDER PROFILE
"""

import json
import sys
from importlib import resources

import requests
from rocrate_validator import models, services
from rocrate_validator.utils.http import HttpRequester

CONTEXT = "https://w3id.org/ro/crate/{}/context"
MOVED = {"ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow"}


def answer(url: str, **_options: object) -> requests.Response:
    """The shipped context, or what stands for a web without anything."""
    found = requests.Response()
    found.url = url
    found.headers["Content-Type"] = "application/ld+json"
    found.status_code = 504
    if url in (CONTEXT.format("1.1"), CONTEXT.format("1.3")):
        document = json.loads((resources.files("rocrate") / "data" / "ro-crate.jsonld").read_bytes())
        if url == CONTEXT.format("1.1"):
            document["@context"] |= MOVED
        found.status_code, found._content = 200, json.dumps(document).encode()
    return found


def main(folder: str, profile: str) -> None:
    for method in ("get", "head", "fetch_fresh"):
        setattr(HttpRequester, method, staticmethod(answer))
    level = models.Severity.RECOMMENDED
    found = services.validate(
        services.ValidationSettings(rocrate_uri=folder, profile_identifier=profile, requirement_severity=level)
    )
    issues = [
        {"severity": issue.severity.name, "check": issue.check.identifier, "message": issue.message}
        for issue in found.get_issues(level)
    ]
    print(json.dumps({"checks": len(found.executed_checks), "issues": issues}))


if __name__ == "__main__":
    main(*sys.argv[1:])
