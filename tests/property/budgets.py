"""How many examples a law gets: a fixed slice in CI, many fresh ones under ``make property``."""

from hypothesis import settings

__all__ = ["examples"]


def examples(ci: int, full: int) -> settings:
    """Settings for one law: ``ci`` derandomised examples, or ``full`` under ``--hypothesis-profile=full``."""
    return settings(max_examples=full if settings.get_current_profile_name() == "full" else ci)
