"""Numbers as people read them."""

import pytest

from trustquery.cli.numbers import combined_text, estimate_text, number_text, share_text
from trustquery.outputs import Estimate


@pytest.mark.parametrize(
    ("value", "low", "high", "shown"),
    [
        (1240.4, 1210.2, 1270.6, ("1,240", "1,210 to 1,271")),
        (92.0, -33.11, 217.11, ("92", "-33 to 217")),
        (-0.4, -12.4, 11.6, ("0", "-12 to 12")),
        (4.27, 3.8, 4.74, ("4.27", "3.80 to 4.74")),
        (0.0271, 0.0268, 0.0274, ("0.02710", "0.02680 to 0.02740")),
        (5.0, 5.0, 5.0, ("5", "5 to 5")),
        (None, None, None, ("too noisy to say", "too noisy to say")),
    ],
)
def test_no_more_digits_than_the_noise_leaves(
    value: float | None, low: float | None, high: float | None, shown: tuple[str, str]
) -> None:
    assert estimate_text(Estimate(value, low, high)) == shown


@pytest.mark.parametrize(("value", "shown"), [(125.1, "125"), (12.2, "12"), (4.71, "4.7"), (0.45, "0.45"), (0, "0")])
def test_a_half_width_shows_two_figures(value: float, shown: str) -> None:
    assert number_text(value) == shown


@pytest.mark.parametrize(("share", "shown"), [(0.9999, "99.9%"), (1.0, "100.0%"), (0.0, "0.0%"), (0.12345, "12.3%")])
def test_a_share_never_promises_more(share: float, shown: str) -> None:
    assert share_text(share) == shown


def test_a_figure_without_noise_keeps_its_places() -> None:
    assert estimate_text(Estimate(0.125, 0.125, 0.125)) == ("0.125", "0.125 to 0.125")
    assert estimate_text(Estimate(5000.0, 5000.0, 5000.0)) == ("5,000", "5,000 to 5,000")


def test_the_interval_with_sampling_has_the_places_of_the_other() -> None:
    assert combined_text(Estimate(0.4123, 0.38, 0.44, (0.3712, 0.4521))) == "0.371 to 0.452"
    assert combined_text(Estimate(0.4123, 0.4123, 0.4123, (0.3712, 0.4521))) == "0.371 to 0.452"
    assert combined_text(Estimate(0.125, 0.125, 0.125, (0.125, 0.125))) == "0.125 to 0.125"
    assert combined_text(Estimate(0.4123, 0.38, 0.44)) == "not known"
    assert combined_text(Estimate(None)) == "too noisy to say"
