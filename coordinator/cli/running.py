"""``init``, ``run`` and ``config check``."""

from __future__ import annotations

import asyncio
import datetime
import faulthandler
import logging
import resource
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from coordinator.certificates import hosts_of, renew_server_certificate
from coordinator.cli.opening import opened
from coordinator.cli.output import data, reporting, say
from coordinator.config import Home, find_home, load_settings, parse_settings, require_tls13, sample_text
from trustquery.cli.program import log_to_stderr
from trustquery.errors import TrustQueryError

if TYPE_CHECKING:
    from coordinator.services import Base

__all__ = ["config_app", "init", "run"]

_OPEN_FILES = 65_536
config_app = typer.Typer(help="Check the settings.", no_args_is_help=True)


def init(
    context: typer.Context,
    root: Annotated[Path, typer.Option(help="root.json, as `tq federation init` made it.")],
    api: Annotated[str, typer.Option(help="host:port of the HTTPS API.")] = "localhost:8443",
    nodes: Annotated[str, typer.Option(help="host:port of the gRPC listener for nodes.")] = "localhost:8444",
    listen: Annotated[str, typer.Option(help="Address that the listeners bind.")] = "127.0.0.1",
    websocket: Annotated[
        str, typer.Option(help="host:port of a WebSocket listener, for nodes that HTTP/2 does not reach; else none.")
    ] = "",
) -> None:
    """Make the home folder: settings, authority, keys, database.

    Example: tq-coordinator --home /srv/tq init --root root.json --api tq.example.nhs.uk:8443
    """
    with reporting():
        home = find_home(cast(Path | None, context.obj))
        if home.settings.exists():
            raise TrustQueryError("config-exists", path=home.settings)
        _make_home(home, root, api, nodes, listen, websocket)
        base = opened(context)
        say(f"made {home.path}")
        say(f"coordinator key: {_coordinator_key(home)}")
        say(f"analysts connect with: {_connection_code(base)}")
        say("next: tq-coordinator run")


def _make_home(home: Home, root_file: Path, api: str, nodes: str, listen: str, websocket: str) -> None:
    from coordinator.services import read_root
    from trustquery.identity import Root, SigningKey, write_private_file
    from trustquery.identity.certificates import Authority, new_tls_key

    try:
        payload = root_file.read_bytes()
    except OSError as error:
        raise TrustQueryError("config-missing", path=root_file, instead="make it with `tq federation init`") from error
    root = Root.from_payload(payload)
    text = sample_text().replace('federation = "demo"', f'federation = "{root.federation}"')
    if websocket:
        for line in ("[websocket]", 'listen = "127.0.0.1:8445"', 'public = "localhost:8445"'):
            text = text.replace(f"# {line}\n", f"{line}\n")
    for endpoint, old in ((api, "8443"), (nodes, "8444"), (websocket or "localhost:8445", "8445")):
        port = endpoint.rpartition(":")[2]
        text = text.replace(f'listen = "127.0.0.1:{old}"', f'listen = "{listen}:{port}"')
        text = text.replace(f'public = "localhost:{old}"', f'public = "{endpoint}"')
    settings = parse_settings(text)
    home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private_file(home.root, payload)
    read_root(home)
    now = datetime.datetime.now(datetime.UTC)
    authority = Authority.generate(root.federation, now)
    write_private_file(home.authority_key, authority.key_pem)
    write_private_file(home.authority, authority.certificate_pem)
    key = new_tls_key()
    write_private_file(home.server_key, key)
    write_private_file(home.server, authority.issue_server(key, hosts=hosts_of(settings), now=now))
    SigningKey.generate().save(home.key)
    write_private_file(home.settings, text.encode())


def _coordinator_key(home: Home) -> str:
    from trustquery.identity import SigningKey

    return SigningKey.load(home.key).public.hex()


def _connection_code(base: object) -> str:
    from coordinator.cli.people import connection_code

    return connection_code(cast("Base", base))


def run(context: typer.Context) -> None:
    """Run until a SIGTERM or Ctrl-C; streams end with a goodbye.

    Example: TQ_COORDINATOR_HOME=/srv/tq tq-coordinator run
    """
    with reporting():
        # A core file would hold keys.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _allow_connections()
        # Where a native library crashed: names of functions only.
        faulthandler.enable()
        require_tls13()
        logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
        log_to_stderr()
        base = opened(context)
        if renew_server_certificate(base.home, base.settings, base.desk.authority, datetime.datetime.now(datetime.UTC)):
            say("the listeners' certificate was renewed")
        from coordinator.runtime import serve

        async def until_told() -> None:
            stop = asyncio.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
            await serve(
                base,
                stop,
                lambda: say("listening: " + ", ".join(_listening(base))),
            )

        asyncio.run(until_told())
        say("stopped")


def _allow_connections() -> None:
    """Open files up to the machine's hard limit: connections up to their own limit must not take them all."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _listening(base: Base) -> list[str]:
    settings = base.settings
    endpoints = {"api": settings.api, "nodes": settings.nodes, "websocket": settings.websocket}
    return [f"{name} {endpoint.listen}" for name, endpoint in endpoints.items() if endpoint is not None]


@config_app.command("check")
def config_check(context: typer.Context) -> None:
    """Read the settings, keys, root and database, and say what is wrong.

    Example: tq-coordinator --home /srv/tq config check
    """
    with reporting():
        home = find_home(cast(Path | None, context.obj))
        load_settings(home)
        base = opened(context)
        data(f"settings\tgood\t{home.settings}")
        data(f"federation\t{base.root.federation}\troot {base.root.sha256}")
        roster = base.rosters.found()
        listed = f"version {roster.version}, {len(roster.nodes)} nodes" if roster is not None else "none yet"
        data(f"roster\t{listed}\t")
        data(f"datasets\t{', '.join(base.catalogues)}\t")
        kept, days = base.store.keeping.kept(), base.settings.retention.results_days
        data(f"results\t{kept.results} kept, {kept.erased} erased\terased after {days} days")
