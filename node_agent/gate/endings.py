"""How a passage ends when it does not end with an answer, and how a restart takes up what was under way."""

from __future__ import annotations

from node_agent.budget.port import Release, pack
from node_agent.budget.states import State
from node_agent.gate import decode, revoked, sign
from node_agent.gate.case import Case
from node_agent.gate.ports import Ports
from node_agent.gate.recheck import may_leave
from node_agent.gate.send import message_of, send_release
from node_agent.gate.witness import quorum
from trustquery.errors import Problem, TrustQueryError
from trustquery.identity import new_secret
from trustquery.protocol.messages import AnswerMessage
from trustquery.reviews import Hearing, Stage

__all__ = ["known", "local_fault", "no_answer", "problems_of", "refuse", "repeat", "resume"]

_FATAL = frozenset({"ledger-unwritable", "ledger-corrupt"})


def local_fault(error: Exception, ports: Ports) -> Problem:
    """An unexpected fault as people outside see it; the kind of error stays in the local log, its text nowhere."""
    incident = new_secret(8).hex()
    ports.log("fault", incident=incident, kind=type(error).__name__)
    return Problem("internal-fault", fields={"incident": incident})


def problems_of(error: Exception, ports: Ports) -> tuple[Problem, ...]:
    """What may be said of an error that came before any data were read."""
    if isinstance(error, TrustQueryError):
        return error.problems
    return (local_fault(error, ports),)


def refuse(case: Case, error: Exception, ports: Ports) -> None:
    """Say no, with reasons. Nothing was charged, or it is given back.

    Nothing is said when the ledger cannot be written, when the intent cannot be read (there is no release to speak
    of), or when the release is already decided.
    """
    problems = problems_of(error, ports)
    if ports.ledger.failed or _FATAL & {problem.code for problem in problems}:
        return
    now = ports.clock.wall()
    if not case.intent_hash:
        try:
            decode.read(case)
        except Exception:
            ports.log("offer unreadable")
            ports.ledger.note_alarm(problems[0].code, "offer", case.offer.intent, now, once=True)
            return
    known = ports.ledger.find(case.release_id)
    if known is not None and known.intent_hash == case.intent_hash and not case.reserved:
        return
    if case.reserved:
        ports.ledger.expire(case.release_id, now)
        ports.ledger.put_outbox(case.release_id, pack(sign.refusal(case, ports, problems), b""), now)
        send_release(case.release_id, ports)
        return
    if ports.rates.allows("refusal", ports.clock.monotonic()):
        ports.ledger.note_refusal(case.release_id, case.intent_hash, case.policy_hash, now)
    ports.log("refused", release=case.release_id, codes=[problem.code for problem in problems])
    ports.send(AnswerMessage(case.release_id, sign.refusal(case, ports, problems)))


def no_answer(case: Case, ports: Ports) -> None:
    """After STARTED: dead when an answer would have been committed; said when it would have been sent.

    Raises:
        FrozenError: nothing leaves.
        ShuttingDownError: the node goes down; the next start finds the release STARTED and so dead.
    """
    slot_ms = ports.settings.slot_ms
    ports.clock.wait_until(case.ready(slot_ms))
    ports.heads.hold(case.release_id)
    ports.ledger.die(case.release_id, ports.clock.wall())
    release = ports.ledger.find(case.release_id)
    if release is None:
        return
    ports.ledger.put_outbox(case.release_id, pack(sign.no_answer(release, ports), b""), ports.clock.wall())
    ports.seats.give_back(case.seat_until(slot_ms))
    case.seated = False
    ports.heads.slot(case.release_id)
    if case.review_minutes:
        # Nobody can look at it; it is said when a verdict would be.
        ports.later(lambda: resume(release, ports))
        return
    ports.clock.wait_until(case.slot(2, slot_ms))
    # Like an answer: which of the two it is must not show in whether it waits for witnesses.
    quorum(case.release_id, ports)
    if not ports.governance.stopped_after(release.reserved_seq):
        send_release(case.release_id, ports)


def known(case: Case, ports: Ports) -> None:
    """The release is here already: the same bytes once more, and nothing is charged.

    A coordinator that lost the stream before it had the answer offers again, on a new stream. Once it has said that it
    holds the answer it has no reason to, unless both crossed on the way: that is an alarm.

    Raises:
        TrustQueryError: ``ledger-unwritable``: an alarm that cannot be entered, so nothing is said.
    """
    crossed = bytes.fromhex(case.release_id) in case.peer.acknowledged
    if not crossed and ports.ledger.is_settled(case.release_id):
        now = ports.clock.wall()
        ports.ledger.note_alarm("node-offer-repeated", "offer", case.offer.intent, now, once=True)
    repeat(case.release_id, ports)


def repeat(release_id: str, ports: Ports) -> None:
    """The same bytes once more, for a release whose bytes have left before; others wait for their slot."""
    release = ports.ledger.find(release_id)
    if release is None or ports.governance.stopped_after(release.reserved_seq) or ports.cosigning.frozen:
        return
    if ports.ledger.has_left(release_id):
        ports.send(message_of(release_id, ports))


def resume(release: Release, ports: Ports) -> None:
    """Take up a release that was under way when the node went down, no earlier than its slot."""
    clock, now = ports.clock, ports.clock.wall()
    if release.state in (State.DEAD, State.EXPIRED):
        ports.ledger.put_outbox(release.release_id, pack(sign.no_answer(release, ports), b""), now)
    if release.state is State.HELD:
        _end_review(release, ports)
        return
    _wait_until_ms(release.due_ms, release, ports)
    ports.heads.slot(release.release_id)
    quorum(release.release_id, ports)
    if release.state in (State.DEAD, State.EXPIRED):
        if not ports.governance.stopped_after(release.reserved_seq):
            send_release(release.release_id, ports)
        return
    if release.state is not State.WITNESSED:
        ports.ledger.witnessed(release.release_id, clock.wall())
    if not _is_wanted(release, ports):
        ports.ledger.withhold(release.release_id, clock.wall())
        return
    send_release(release.release_id, ports)


def _wait_until_ms(moment_ms: int, release: Release, ports: Ports) -> None:
    """Wait for a wall-clock time of a release, never longer than it can be away."""
    clock = ports.clock
    wait_ms = min(max(0, moment_ms - clock.wall_ms()), (release.planned_slot + 1) * ports.settings.slot_ms)
    clock.wait_until(clock.monotonic() + wait_ms / 1_000)


def _end_review(release: Release, ports: Ports) -> None:
    """At slot 1, the review's deadline, what people said decides; at slot 2 it leaves.

    The two slots pass in the same way whatever they said, and whether they said anything.
    """
    release_id, deadline_ms = release.release_id, release.due_ms - ports.settings.slot_ms
    ready_ms = ports.reviews.ready_ms(release_id)
    _wait_until_ms(deadline_ms if ready_ms is None else min(ready_ms, deadline_ms), release, ports)
    ports.heads.slot(release_id)
    _wait_until_ms(deadline_ms, release, ports)
    hearing = ports.reviews.hearing(release)
    wanted = _is_wanted(release, ports)
    goes = wanted and hearing.stage is Stage.APPROVED
    if not goes:
        ports.ledger.withhold(release_id, ports.clock.wall())
    _wait_until_ms(release.due_ms, release, ports)
    ports.heads.slot(release_id)
    quorum(release_id, ports)
    if goes:
        ports.ledger.witnessed(release_id, ports.clock.wall())
    if goes and _is_wanted(release, ports):
        send_release(release_id, ports)
    elif goes:
        ports.ledger.withhold(release_id, ports.clock.wall())
    elif wanted and _is_wanted(release, ports):
        ports.send(AnswerMessage(release_id, sign.withheld(release, _why(hearing), ports)))


def _is_wanted(release: Release, ports: Ports) -> bool:
    try:
        rests_on = revoked.standing_of(release.project, release.analyst, ports)
    except TrustQueryError:
        return False
    return may_leave(release.project, release.project_ends, release.not_after, release.reserved_seq, rests_on, ports)


def _why(hearing: Hearing) -> str:
    if hearing.stage is Stage.REFUSED:
        return f"two people of the trust refused it ({', '.join(hearing.reasons)})"
    return "two people of the trust did not approve it by the deadline"
