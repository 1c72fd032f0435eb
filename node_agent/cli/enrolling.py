"""``enrol`` and ``keys show``."""

from __future__ import annotations

import hmac
import time
from typing import Annotated

import typer

from node_agent.cli.making import PERSON, SOURCE, ask_settings, make_home
from node_agent.cli.opening import home_of, now, secret_for_new_keys, startup_of
from node_agent.cli.output import Format, FormatOption, data, reporting, say
from trustquery.errors import TrustQueryError

__all__ = ["enrol", "keys_app"]

keys_app = typer.Typer(help="Keys: this node's own, and the people's who sign for this trust.", no_args_is_help=True)
_POLL_SECONDS = 1.0


def enrol(
    context: typer.Context,
    code: Annotated[str, typer.Argument(help="The one-time code from the federation's operator.")],
    root_fingerprint: Annotated[
        str,
        typer.Option(help="The root's fingerprint, 64 hexadecimal digits, from somebody you already know."),
    ] = "",
    name: Annotated[str, typer.Option(help="The trust's name in words, for settings that are made now.")] = "",
    governance: Annotated[
        list[str] | None,
        typer.Option(metavar=PERSON, help="A person who decides, for settings that are made now; give two or none."),
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option(metavar=SOURCE, help="Where data are, for settings that are made now.")
    ] = None,
    again: Annotated[
        bool,
        typer.Option("--again", help="Enrol a node that is enrolled: its certificate has ended, or it has new keys."),
    ] = False,
    passphrase: Annotated[
        bool, typer.Option("--passphrase", help="Ask for a passphrase that encrypts the keys.")
    ] = False,
    wait: Annotated[int, typer.Option(min=0, help="Seconds to wait for approval; run again to go on waiting.")] = 900,
) -> None:
    """Join the federation: make keys, prove them, compare 12 words, wait for approval.

    The fingerprint must reach you another way than the code: by telephone, from a number you already know.

    A machine without settings gets them now; at a terminal you are asked. Run it again to go on where it stopped.

    Example: tq-node enrol tqe1.RX1.… --root-fingerprint 3f9a…
    """
    with reporting("enrol"):
        from node_agent.config import load_config
        from node_agent.enrolment.enrol import complete, fetch_anchor, request
        from node_agent.enrolment.startup import known_root
        from node_agent.network import network_of
        from trustquery.protocol.enrolment import EnrolmentCode

        home = home_of(context)
        parsed = EnrolmentCode.parse(code)
        if not home.config_file.exists():
            make_home(home, parsed.ods, *ask_settings(parsed.ods, name, governance or (), source or ()))
        config = load_config(home)
        if parsed.ods != config.node.ods:
            raise TrustQueryError("node-code-invalid", place="node.toml: node.ods", ods=config.node.ods)
        enrolled = (home.startup / "coordinator.json").exists()
        if enrolled and not again:
            raise TrustQueryError("config-exists", path=home.startup / "coordinator.json")
        enrolment = fetch_anchor(parsed, network_of(home, config))
        found = enrolment.root.sha256
        if not root_fingerprint:
            say(f"federation {enrolment.root.federation}, root fingerprint:\n  {found}")
            root_fingerprint = found if typer.confirm("Is this the fingerprint you were told?", err=True) else ""
        if not hmac.compare_digest(root_fingerprint.strip().lower(), found):
            raise TrustQueryError("node-fingerprint")
        if enrolled and known_root(home).sha256 != found:
            # Another federation would come upon this one's ledger and documents.
            raise TrustQueryError("node-fingerprint")
        words = request(enrolment, home, config.node.name, secret_for_new_keys(home, passphrase))
        say("read these 12 words to the federation's operator, who must see exactly the same:")
        data(words)
        say(f"waiting up to {wait} seconds for approval ...")
        ends = time.monotonic() + wait

        def pause() -> bool:
            time.sleep(min(_POLL_SECONDS, max(0.0, ends - time.monotonic())))
            return time.monotonic() < ends

        node = complete(enrolment, home, pause)
        say(f"enrolled as {node}. next: tq-node run")


@keys_app.command("show")
def show(context: typer.Context, form: FormatOption = Format.TABLE) -> None:
    """Show the public halves of this node's keys and when its certificate ends.

    Example: tq-node keys show
    """
    with reporting("keys show", form) as reply:
        from node_agent.enrolment.startup import certificate_days_left
        from trustquery.identity.certificates import public_key_sha256

        startup = startup_of(home_of(context))
        reply.facts(
            {
                "node": startup.node,
                "identity_key": startup.key.public.hex(),
                "identity_key_id": startup.key.key_id,
                "tls_key_sha256": public_key_sha256(startup.certificate_pem),
                "certificate_days_left": certificate_days_left(startup, now()),
                "root_fingerprint": startup.root.sha256,
            }
        )
