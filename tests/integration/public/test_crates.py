"""Research-object crates, judged by the validator of RO-Crate's own people and by the Five Safes profile's text.

No release of that validator has the Five Safes profile 0.4, so its requirements are written out here, each in the words
of the profile; what the profile builds on (RO-Crate, Workflow RO-Crate) the validator judges.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from coordinator.store import ReviewRow
from tests.lib.public_site import ADA, PublicSite

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".rocrate-venv" / "bin" / "python"
AB, CD, EF = "ab" * 32, "cd" * 32, "ef" * 32
SQL = "SELECT count(DISTINCT person_id) AS people FROM person WHERE year_of_birth >= $born"
Node = dict[str, Any]


def judge(folder: Path, profile: str) -> list[str]:
    """What MUST be otherwise, by the validator."""
    assert PYTHON.exists(), "make rocrate-tools"
    command = [str(PYTHON), str(ROOT / "tests" / "lib" / "crate_judge.py"), str(folder), profile]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    assert found["checks"] > 50
    return [f"{issue['check']}: {issue['message']}" for issue in found["issues"] if issue["severity"] == "REQUIRED"]


def unpack(content: bytes, folder: Path) -> Path:
    """Unpack a bag and check it as BagIt says; returns its payload."""
    folder.mkdir()
    archive = folder / "crate.zip"
    archive.write_bytes(content)
    with zipfile.ZipFile(archive) as bag:
        names = bag.namelist()
        bag.extractall(folder)
    [top] = {name.split("/")[0] for name in names}
    bag_folder = folder / top
    assert (bag_folder / "bagit.txt").read_text() == "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
    assert "External-Identifier: urn:uuid:" in (bag_folder / "bag-info.txt").read_text()
    for manifest in ("manifest-sha512.txt", "tagmanifest-sha512.txt"):
        lines = [line.split("  ", 1) for line in (bag_folder / manifest).read_text().splitlines()]
        assert all(hashlib.sha512((bag_folder / name).read_bytes()).hexdigest() == digest for digest, name in lines)
        listed = {name for _, name in lines}
        if manifest == "manifest-sha512.txt":
            assert listed == {
                f"data/{path.relative_to(bag_folder / 'data')}" for path in (bag_folder / "data").rglob("*.*")
            }
    return bag_folder / "data"


def graph(data: Path) -> dict[str, Node]:
    document = json.loads((data / "ro-crate-metadata.json").read_bytes())
    return {node["@id"]: node for node in document["@graph"]}


def ids(value: Any) -> list[str]:
    return [item["@id"] for item in (value if isinstance(value, list) else [value])]


@pytest.fixture
def used(site: PublicSite) -> PublicSite:
    permit = site.project(funders=("NIHR", "UKRI"))
    site.use(permit, AB, sql=SQL, parameters={"born": 1950})
    site.use(permit, CD, state="expired", says={"RX1": "refused", "RX2": "refused"})
    site.use(permit, EF, state="returned")
    with site.store.transaction() as session:
        session.add(ReviewRow(release_id=EF, why="application", deadline=1, outcome="returned", reasons="purpose"))
    site.login("ada", ADA)
    assert site.call("POST", f"/v1/queries/{AB}/publish").status_code == 200
    return site


def crate(site: PublicSite, release: str) -> bytes:
    response = site.get(f"/public/releases/{release}/crate.zip")
    assert response.headers["content-type"] == "application/zip"
    assert response.headers["link"] == '<https://w3id.org/ro/crate>; rel="profile"'
    return response.content


@pytest.mark.parametrize("release", [AB, *(pytest.param(other, marks=pytest.mark.slow) for other in (CD, EF))])
def test_the_validator_finds_nothing_that_must_be_otherwise(used: PublicSite, tmp_path: Path, release: str) -> None:
    data = unpack(crate(used, release), tmp_path / "out")
    assert judge(data, "ro-crate-1.3") == []
    assert judge(data / "workflow", "workflow-ro-crate-1.0") == []


def test_the_register_is_a_crate_too(used: PublicSite, tmp_path: Path) -> None:
    data = unpack(used.get("/public/register/crate.zip").content, tmp_path / "out")
    assert judge(data, "ro-crate-1.3") == []
    assert json.loads((data / "register.json").read_bytes())["format"] == "tq-register-2"
    assert sorted(ids(graph(data)["./"]["hasPart"])) == [
        "log.csv", "log.json", "promise.json", "register.csv", "register.json",
    ]  # fmt: skip


def test_the_judge_can_say_no(used: PublicSite, tmp_path: Path) -> None:
    data = unpack(crate(used, AB), tmp_path / "out")
    document = json.loads((data / "ro-crate-metadata.json").read_bytes())
    for node in document["@graph"]:
        if node["@id"] == "./":
            del node["datePublished"], node["license"]
    (data / "ro-crate-metadata.json").write_text(json.dumps(document))
    assert judge(data, "ro-crate-1.3") != []


@pytest.mark.parametrize("release", [AB, CD, EF])
def test_what_the_five_safes_profile_requires(used: PublicSite, tmp_path: Path, release: str) -> None:
    """https://w3id.org/5s-crate/0.4, each MUST and the SHOULDs that are true of a use."""
    data = unpack(crate(used, release), tmp_path / "out")
    nodes = graph(data)
    root = nodes["./"]
    assert nodes["ro-crate-metadata.json"]["conformsTo"]["@id"].startswith("https://w3id.org/ro/crate/1.")
    assert root["conformsTo"] == {"@id": "https://w3id.org/5s-crate/0.4"}
    assert "Profile" in nodes["https://w3id.org/5s-crate/0.4"]["@type"]
    # "MUST reference a Workflow RO-Crate Dataset as its mainEntity"
    workflow = nodes[root["mainEntity"]["@id"]]
    assert workflow["@type"] == "Dataset"
    assert workflow["conformsTo"] == {"@id": "https://w3id.org/workflowhub/workflow-ro-crate/1.0"}
    # "MUST include a CreateAction, which MUST be referenced from mentions", "MUST reference the Workflow Crate"
    mentions = [nodes[name] for name in ids(root["mentions"])]
    [run] = [node for node in mentions if node["@type"] == "CreateAction"]
    assert run["instrument"] == {"@id": "workflow/"}
    assert run["actionStatus"].startswith("http://schema.org/")
    # "The individual person who is requesting the run MUST be indicated as an agent"
    person = nodes[run["agent"]["@id"]]
    assert person["@type"] == "Person"
    assert nodes[person["affiliation"]["@id"]]["@type"] == "Organization"
    # "MUST be indicated from the root dataset using sourceOrganization to a Project"
    project = nodes[root["sourceOrganization"]["@id"]]
    assert project["@type"] == "Project"
    assert person["memberOf"] == {"@id": project["@id"]}
    # "Each input MUST have a corresponding data entity, which SHOULD have an exampleOfWork"
    for name in ids(run["object"]) if "object" in run else []:
        assert nodes[nodes[name]["exampleOfWork"]["@id"]]["@type"] == "FormalParameter"
    # "The name of the action MUST provide a human readable name"; times are RFC 3339; objects include the root
    assessments = [node for node in mentions if node["@type"] == "AssessAction"]
    assert {node["additionalType"]["@id"] for node in assessments} == {
        f"https://w3id.org/shp#{kind}" for kind in ("CheckValue", "ValidationCheck", "SignOff", "DisclosureCheck")
    }
    for node in assessments:
        assert node["name"]
        assert datetime.fromisoformat(node["endTime"]).tzinfo is not None
        assert "./" in ids(node["object"])
        agent = nodes[node["agent"]["@id"]]
        # "A SoftwareApplication acting on behalf of a TRE MUST include a reference to the TRE Organization"
        if agent["@type"] == "SoftwareApplication":
            assert nodes[agent["provider"]["@id"]]["@type"] == "Organization"
    # "hasPart MUST include any result data entities"; a crate that failed has none
    results = ids(run["result"]) if "result" in run else []
    assert set(results) <= set(ids(root["hasPart"]))
    assert results == (["outputs/table.json", "outputs/criteria.json"] if release == AB else [])
    assert root["license"]
    assert root["publisher"]
    assert root["datePublished"]
    # no path leads out of the bag
    assert not any(name.startswith(("/", "..")) for name in nodes)


def test_a_withdrawn_result_is_in_no_crate(used: PublicSite, tmp_path: Path) -> None:
    used.call("POST", f"/v1/queries/{AB}/withdraw", json={"reason": "Wrong code."})
    data = unpack(crate(used, AB), tmp_path / "out")
    assert not (data / "outputs").exists()
    assert "Wrong code." in (data / "use.json").read_text()


def test_the_same_use_is_the_same_bytes(used: PublicSite) -> None:
    assert crate(used, AB) == crate(used, AB)
    assert used.get(f"/public/releases/{'0' * 64}/crate.zip").status_code == 404
    assert used.get(f"/public/releases/{AB[:12]}/crate.zip").status_code == 404
