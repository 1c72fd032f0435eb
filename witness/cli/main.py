"""``tq-witness``: run a witness, and see what it has signed."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from trustquery.cli.faults import reporting_faults
from trustquery.cli.output import data, reporting, say
from trustquery.cli.program import log_to_stderr, new_program, take_home
from trustquery.errors import TrustQueryError
from witness.config import Home, Settings, find_home, introduced, load_settings, sample_text

if TYPE_CHECKING:
    from trustquery.identity import SigningKey

__all__ = ["app", "main"]

app = new_program(
    "tq-witness",
    "Witness the logs of a federation: sign their heads as long as nothing in them is changed.\n\n"
    "Example: tq-witness --home /srv/witness run",
)
take_home(app, "The witness's folder; or set TQ_WITNESS_HOME.")


def _key(home: Home) -> SigningKey:
    """The signing key; made before the first head is signed, and never again."""
    from trustquery.identity import SigningKey

    if not home.key.exists() and home.heads.exists():
        raise TrustQueryError(
            "config-missing", path=home.key, instead="restore the key: this witness has signed with it"
        )
    if not home.key.exists():
        SigningKey.generate().save(home.key)
        say(f"made {home.key}")
    return SigningKey.load(home.key)


def _vkey(settings: Settings, key: SigningKey) -> str:
    from trustquery.log import VerifierKey

    return VerifierKey(settings.name, key.public, witness=True).text


@app.command()
def run(
    context: typer.Context,
    check: Annotated[bool, typer.Option("--check", help="Read the settings and documents, and end.")] = False,
    sample: Annotated[bool, typer.Option("--sample", help="Print annotated settings, and end.")] = False,
) -> None:
    """Answer requests until a SIGTERM or Ctrl-C.

    Example: tq-witness --home /srv/witness run --check
    """
    with reporting():
        if sample:
            data(sample_text().rstrip())
            return
        home = find_home(cast(Path | None, context.obj))
        settings = load_settings(home)
        logs = introduced(home, settings)
        say(f"{settings.name} witnesses {len(logs)} logs: {', '.join(sorted(logs)) or 'none yet'}")
        if check:
            say("next: tq-witness run")
            return
        _serve(home, settings, logs)


def _serve(home: Home, settings: Settings, logs: dict[str, bytes]) -> None:
    import resource

    from trustquery.listening.http import PatientServer
    from trustquery.log import VerifierKey, Witness
    from witness.server import make_app
    from witness.store import SqliteHeads

    # A core file would hold the key.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    key = _key(home)
    heads = SqliteHeads(home.heads, logs=logs.get)
    log_to_stderr()
    say(f"verifier key: {_vkey(settings, key)}")
    witness = Witness(settings.name, key, heads, logs.get)
    vkey = VerifierKey(settings.name, key.public, witness=True)
    tls = settings.tls
    server = PatientServer(
        make_app(witness, vkey, heads, lambda: int(time.time())),
        settings.host,
        settings.port,
        settings.limits,
        ssl_certfile=str(home.path / tls.certificate) if tls is not None else None,
        ssl_keyfile=str(home.path / tls.key) if tls is not None else None,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=3,
    )
    try:
        server.run()
    except KeyboardInterrupt:
        pass  # uvicorn raises it once more, after the end
    except OSError as error:
        problem = f"cannot listen on {settings.listen}"
        raise TrustQueryError("config-invalid", place="witness.toml: listen", problem=problem) from error
    finally:
        heads.close()


@app.command()
def status(context: typer.Context) -> None:
    """Show the witness's key, every head that it signed last, and every log that showed two histories.

    Example: tq-witness --home /srv/witness status
    """
    with reporting():
        from trustquery.log import Checkpoint
        from witness.store import SqliteHeads

        home = find_home(cast(Path | None, context.obj))
        settings = load_settings(home)
        heads = SqliteHeads(home.heads, write=False)
        found = [Checkpoint.read(note) for _, note in heads.heads()]
        forks = heads.forks()
        heads.close()
        document = {
            "key": _vkey(settings, _key(home)),
            "logs": sorted(introduced(home, settings)),
            "heads": [{"origin": head.origin, "size": head.size, "root": head.root.hex()} for head in found],
            "forks": [{"origin": name, "ours": a.decode(), "theirs": b.decode()} for name, a, b in forks],
        }
        data(json.dumps(document, indent=2))
        if forks:
            say(f"{len(forks)} heads were refused because they do not extend what was signed: both are shown.")
        say("next: give the key to whoever relies on this witness: tq audit verify --witness KEY")


def main() -> None:
    """Entry point."""
    reporting_faults(app)
