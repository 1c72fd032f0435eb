"""``python -m demo``: a federation of four made-up trusts on this machine, a project, three answers, the register.

``--keep`` (or ``KEEP=1``) leaves it running and says what to type next; ``--stop`` ends what was left running.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from demo.config import child_environment, keep_wanted
from demo.federation import Federation
from demo.layout import PROJECT, Layout
from demo.processes import DemoError, Part, Processes, Tools, still_running, stop_recorded
from demo.questions import PROFILES, QUESTIONS, Question
from demo.record import show_record
from demo.screen import Screen

EXAMPLE = "SELECT count(DISTINCT person_id) AS people FROM person"
BASE = Path(__file__).resolve().parent.parent / ".demo"


def ask(question: Question, layout: Layout, tools: Tools) -> int:
    """Run one question; returns the process id of ``tq``.

    Raises:
        DemoError: the command failed.
    """
    arguments = ["query", "run", "--project", PROJECT, "--epsilon", question.epsilon]
    return analyst(
        [*arguments, "--yes", "--max-epsilon", question.epsilon, *question.options, question.sql], layout, tools
    )


def analyst(arguments: Sequence[str], layout: Layout, tools: Tools) -> int:
    """Run the analyst's own ``tq``, as a process of its own that everybody can watch; returns its process id.

    Raises:
        DemoError: the command failed.
    """
    home, words = layout.analyst, [tools.path("tq"), *arguments]
    sys.stdout.flush()
    process = subprocess.Popen(words, env=child_environment(home, {"TQ_HOME": str(home)}), stdin=subprocess.DEVNULL)
    try:
        if process.wait():
            raise DemoError(f"`tq {' '.join(arguments[:2])}` failed with exit status {process.returncode}; see above")
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    return process.pid


def show_parts(screen: Screen, parts: list[Part], layout: Layout) -> None:
    """Who runs where."""
    screen.title("Running now; only the coordinator listens, and every connection to it is TLS 1.3")
    for part in parts:
        screen.say(f"  {part.name:<12} process {part.process.pid:<8} home {_short(part.home)}")
    screen.say(f"  {'analyst':<12} {'one process a command':<16} home {_short(layout.analyst)}")


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def tell_next(screen: Screen, layout: Layout, tools: Tools) -> None:
    """What to type while it is kept up."""
    tq = _short(Path(tools.path("tq")))
    screen.title("Left running. Ask your own:")
    screen.say(f"  export TQ_HOME={shlex.quote(_short(layout.analyst))}")
    screen.say(f"  {tq} dataset show omop-5.4 person")
    screen.say(f"  {tq} query run -p {PROJECT} -e 1 {shlex.quote(EXAMPLE)}")
    screen.say(f"  {tq} budget show {PROJECT}")
    address = tomllib.loads((layout.analyst / "client.toml").read_text())["coordinator"]
    screen.say(
        f"The public's pages (a browser warns of the demonstration's own certificate): https://{address}/public/"
    )
    screen.say("Stop it:")
    where = "" if layout.base == BASE else f" --folder {shlex.quote(str(layout.base))}"
    screen.say(f"  {_short(Path(sys.executable))} -m demo --stop{where}")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def run(base: Path, keep: bool) -> int:
    """The whole demonstration; returns the exit status."""
    layout, screen, tools = Layout(base), Screen(), Tools()
    for end in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(end, _interrupt)
    processes = Processes(layout.record)
    status = 1
    try:
        if still_running(layout.record):
            raise DemoError(f"another demonstration is at work in {_short(base)}: wait for it, or give --folder")
        stop_recorded(layout.record)
        layout.make()
        screen.title("TrustQuery: four trusts, one question, no patient leaves")
        federation = Federation(layout, processes, screen, tools)
        federation.build()
        show_parts(screen, processes.parts, layout)
        screen.title("Profiles first: how many visits people have, so that bounds need not be guessed; no project pays")
        analyst(["profile", "request", *PROFILES, "--yes", "--max-epsilon", "0.5"], layout, tools)
        analyst(["profile", "show", *PROFILES], layout, tools)
        for number, question in enumerate(QUESTIONS, 1):
            screen.title(f"Question {number} of {len(QUESTIONS)}: {question.title}")
            for line in question.sql.splitlines():
                screen.console.print(f"  {line}", style="cyan", markup=False)
            screen.say()
            pid = ask(question, layout, tools)
            screen.say(f"[dim]asked by process {pid}[/dim]")
            processes.check()
        show_record(screen, federation.analyst, lambda words: analyst(words, layout, tools), layout.base)
        status = 0
    except DemoError as error:
        screen.console.print(f"\nThe demonstration failed: {error}", style="red", markup=False)
        screen.say(f"All logs are in {_short(layout.base / 'logs')}.")
    except KeyboardInterrupt:
        screen.say("\nstopped at your wish")
        status = 130
    finally:
        if status == 0 and keep:
            tell_next(screen, layout, tools)
        else:
            _end(processes, screen)
    screen.say(f"[dim]{screen.seconds:.0f} seconds in all[/dim]")
    return status


def _end(processes: Processes, screen: Screen) -> None:
    # A second Ctrl-C must not leave half of it running.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    number = len(processes.parts)
    processes.stop()
    if number:
        screen.say(f"\n{number} processes ended; nothing is left running.")


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--keep", action="store_true", help="leave the federation running")
    parser.add_argument("--stop", action="store_true", help="end what an earlier run left running")
    parser.add_argument("--folder", type=Path, default=BASE, help="where to keep everything (default: .demo)")
    chosen = parser.parse_args()
    base = chosen.folder.absolute()
    if chosen.stop:
        print(f"{stop_recorded(Layout(base).record)} processes ended")
        return 0
    return run(base, chosen.keep or keep_wanted())


if __name__ == "__main__":
    sys.exit(main())
