"""SEC-04: every secret file of a node and of the coordinator, in every wrong state: nothing starts with it."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from coordinator.config import Home as CoordinatorHome
from coordinator.config import parse_settings, sample_text
from coordinator.services import open_base
from node_agent.config import Home, parse_config
from node_agent.enrolment.startup import IDENTITY_KEY, TLS_KEY, Coordinator, load_startup, save_startup
from node_agent.sources.store import store_key
from tests.factories.documents import root
from trustquery.errors import TrustQueryError
from trustquery.identity import SigningKey, read_private_file, write_private_file
from trustquery.identity.certificates import Authority, certificate_request, new_tls_key, spiffe_name

NOW = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)
AUTHORITY = Authority.generate("test", NOW)
ROOT = root(*[SigningKey.generate() for _ in range(3)])
NODE = 'format = "tq-node-1"\n[node]\nods = "RX1"\nname = "Trust"\n[keys]\npassphrase_file = "keys/passphrase"\n'


def node_home(folder: Path) -> Home:
    """An enrolled node, keys encrypted, passphrase in a file."""
    home = Home(folder / "node")
    home.create()
    home.config_file.write_text(NODE)
    write_private_file(home.keys / "passphrase", b"four words nobody says\n")
    SigningKey.generate().save(home.keys / IDENTITY_KEY, b"four words nobody says")
    tls = new_tls_key()
    write_private_file(home.keys / TLS_KEY, tls)
    where = Coordinator(format="tq-startup-1", node="RX1", ods="RX1", grpc_address="localhost:1")
    made = AUTHORITY.issue_node(certificate_request(tls, "RX1"), uri=spiffe_name("test", "RX1"), now=NOW)
    save_startup(home, ROOT, where, AUTHORITY.certificate_pem, made)
    store_key(home, parse_config(NODE), make=True)
    return home


def start_node(home: Home) -> None:
    """What every start reads."""
    load_startup(home)
    store_key(home, parse_config(NODE))


def coordinator_home(folder: Path) -> CoordinatorHome:
    home = CoordinatorHome(folder / "coordinator")
    home.path.mkdir()
    home.root.write_bytes(ROOT.payload())
    write_private_file(home.authority_key, AUTHORITY.key_pem)
    home.authority.write_bytes(AUTHORITY.certificate_pem)
    key = new_tls_key()
    write_private_file(home.server_key, key)
    home.server.write_bytes(AUTHORITY.issue_server(key, hosts=["localhost"], now=NOW))
    SigningKey.generate().save(home.key)
    return home


def start_coordinator(home: CoordinatorHome) -> None:
    """What every start and every draft of a roster reads."""
    settings = parse_settings(sample_text().replace('"demo"', f'"{ROOT.federation}"'))
    base = open_base(home, settings)
    base.store.close()
    from coordinator.certificates import ServerCertificate

    ServerCertificate(home, settings, AUTHORITY).credentials()
    SigningKey.load(home.key)


def _mode(mode: int) -> Callable[[Path], None]:
    return lambda path: path.chmod(mode)


def _link(path: Path) -> None:
    real = path.with_name("elsewhere")
    path.rename(real)
    path.symlink_to(real)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir(mode=0o700)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def _given_away(path: Path) -> None:
    os.chown(path, 12_345, -1)


WRONG: dict[str, Callable[[Path], None]] = {
    **{f"{mode:04o}": _mode(mode) for mode in (0o604, 0o606, 0o610, 0o620, 0o640, 0o644, 0o660, 0o666, 0o601, 0o777)},
    "symbolic link": _link,
    "folder": _folder,
    "pipe": _pipe,
    "another owner": _given_away,
    "missing": Path.unlink,
}
NODE_FILES = ("identity.pem", "tls.pem", "passphrase", "store.key")
CENTRE_FILES = ("authority.key.pem", "server.key.pem", "coordinator.key.pem")


def refused(start: Callable[[], object]) -> str:
    with pytest.raises(TrustQueryError) as caught:
        start()
    return caught.value.code


def expected(wrong: str, name: str) -> set[str]:
    if wrong == "missing":
        return {"data-not-prepared", "config-missing", "config-key-file"} if name == "store.key" else {"config-missing"}
    return {"config-key-file"}


@pytest.mark.acceptance("SEC-04")
@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", NODE_FILES)
def test_a_node_does_not_start_with_it(tmp_path: Path, name: str, wrong: str) -> None:
    if wrong == "another owner" and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    home = node_home(tmp_path)
    start_node(home)
    WRONG[wrong](home.keys / name)
    assert refused(lambda: start_node(home)) in expected(wrong, name)


@pytest.mark.acceptance("SEC-04")
@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", CENTRE_FILES)
def test_the_coordinator_does_not_start_with_it(tmp_path: Path, name: str, wrong: str) -> None:
    if wrong == "another owner" and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    home = coordinator_home(tmp_path)
    start_coordinator(home)
    WRONG[wrong](home.path / name)
    assert refused(lambda: start_coordinator(home)) in expected(wrong, name)


@pytest.mark.acceptance("SEC-04")
@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_stricter_is_as_good(tmp_path: Path, mode: int) -> None:
    home = node_home(tmp_path)
    for name in NODE_FILES:
        (home.keys / name).chmod(mode)
    start_node(home)


@pytest.mark.acceptance("SEC-04")
def test_a_wrong_or_empty_passphrase_opens_nothing(tmp_path: Path) -> None:
    home = node_home(tmp_path)
    (home.keys / "passphrase").write_bytes(b"another one altogether\n")
    assert refused(lambda: load_startup(home)) == "auth-passphrase"
    (home.keys / "passphrase").write_bytes(b"\n")
    assert refused(lambda: load_startup(home)) == "config-invalid"
    home.config_file.write_text(NODE.replace("keys/passphrase", ""))
    assert refused(lambda: load_startup(home)) == "auth-passphrase"
    assert load_startup(home, b"four words nobody says").node == "RX1"


def test_an_encrypted_tls_key_serves_as_a_plain_one(tmp_path: Path) -> None:
    home = node_home(tmp_path)
    sealed = new_tls_key(b"four words nobody says")
    assert sealed.startswith(b"-----BEGIN ENCRYPTED")
    (home.keys / TLS_KEY).write_bytes(sealed)
    opened = load_startup(home).tls_key_pem
    assert certificate_request(opened, "RX1").startswith(b"-----BEGIN CERTIFICATE REQUEST")
    assert read_private_file(home.keys / TLS_KEY) == sealed, "never plain on the disk"


@pytest.mark.acceptance("SEC-04")
@pytest.mark.parametrize("wrong", WRONG)
def test_every_other_secret_is_read_by_the_same_rules(tmp_path: Path, wrong: str) -> None:
    """A proxy's password, a sign-in service's secret, the keys of prepared data: one function reads them all."""
    if wrong == "another owner" and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    path = tmp_path / "secret"
    write_private_file(path, b"a secret")
    assert read_private_file(path) == b"a secret"
    WRONG[wrong](path)
    assert refused(lambda: read_private_file(path)) in {"config-key-file", "config-missing"}
