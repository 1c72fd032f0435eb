"""The table of states: complete, reachable, and final where it should be."""

from coordinator.queries.machine import OPEN, VALID_TRANSITIONS, State, before


def test_every_state_has_a_row_and_is_reachable() -> None:
    assert set(VALID_TRANSITIONS) == set(State)
    reached, frontier = {State.ACCEPTED}, [State.ACCEPTED]
    while frontier:
        for after in VALID_TRANSITIONS[frontier.pop()] - reached:
            reached.add(after)
            frontier.append(after)
    assert reached == set(State)


def test_what_is_final_stays_so() -> None:
    final = {state for state, after in VALID_TRANSITIONS.items() if not after}
    assert final == {State.CLOSED, State.EXPIRED, State.CANCELLED, State.RETURNED}
    assert not final & OPEN
    assert before(State.ACCEPTED) == frozenset()


def test_a_closing_query_can_no_longer_be_cancelled() -> None:
    assert State.CANCELLED not in VALID_TRANSITIONS[State.CLOSING]
    assert VALID_TRANSITIONS[State.IN_REVIEW] == {State.CLOSED, State.RETURNED}
    assert before(State.CLOSED) == frozenset({State.CLOSING, State.IN_REVIEW})
