"""Whether something was refused, and how: as a value, for tests where either outcome may be right."""

from collections.abc import Callable

from trustquery.errors import TrustQueryError

__all__ = ["code_of", "codes_of", "reason_of", "refusal"]


def refusal(call: Callable[..., object], *arguments: object) -> TrustQueryError | None:
    """The refusal that a call ends in, or None when it succeeds. Any other exception passes through."""
    try:
        call(*arguments)
    except TrustQueryError as error:
        return error
    return None


def code_of(call: Callable[..., object], *arguments: object) -> str:
    """The code of the first problem, or "" when the call succeeds."""
    error = refusal(call, *arguments)
    return error.code if error else ""


def codes_of(call: Callable[[], object]) -> list[str]:
    """The codes of all problems, in the order reported; empty when the call succeeds."""
    error = refusal(call)
    return [problem.code for problem in error.problems] if error else []


def reason_of(call: Callable[..., object], *arguments: object) -> str:
    """What the first problem says, in words, or "" when the call succeeds."""
    error = refusal(call, *arguments)
    return error.problem.reason if error else ""
