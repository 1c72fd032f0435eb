"""A slice of the privacy audit: every mechanism on neighbouring data, with the shipped evaluator, noise and ledger.

Nothing here is seeded but data. A limit is wrong with a chance of at most 1e-3 a mechanism by the inequalities used;
the means behind the rho that is compared with the claim would have to be six standard errors off together, a chance
below 1e-8. ``make audit-privacy`` draws more, and docs/reference/privacy-audit.md has the figures of the last full run.
"""

from __future__ import annotations

from fractions import Fraction

import pytest

from audits.audit import audit
from audits.mechanisms import MECHANISMS, Mechanism
from audits.neighbours import neighbours
from audits.product import SHIPPED
from trustquery.privacy.budget import NANO

RUNS = 50_000
"""With the person, and as many without: 10^5 a mechanism."""
SEED = 20261121


@pytest.mark.acceptance("PRV-05")
@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda item: item.name)
def test_no_more_is_leaked_than_is_claimed(mechanism: Mechanism) -> None:
    found = audit(mechanism, runs=RUNS, seed=SEED, product=SHIPPED)
    assert found.broken == ()
    if found.rho_at_least is not None:
        assert found.epsilon_at_least is not None
        assert 0 < found.epsilon_at_least < found.epsilon_claimed
        # At epsilon 5 the limit is 20 standard errors above half the claim; at epsilon 1, seven above nothing.
        assert (found.rho_claimed / 2 if found.rho_claimed > 0.1 else 0) < found.rho_at_least <= found.rho_claimed
    else:
        assert found.delta_at_least is not None
        assert found.delta_claimed is not None
        assert found.delta_at_least < found.delta_claimed


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda item: item.name)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_person_is_the_worst_that_the_bounds_allow(mechanism: Mechanism, seed: int) -> None:
    """What this person loses is the whole charge, but for its rounding up: 1e-9 a block."""
    pair = neighbours(mechanism, seed, SHIPPED)
    charged = Fraction(pair.plan.rho_nano, NANO)
    assert charged - Fraction(len(pair.plan.blocks), NANO) < pair.rho <= charged
    assert pair.sensitivity_holds()
    assert pair.others_are_unchanged()


def test_mechanisms_have_names_of_their_own() -> None:
    assert len({mechanism.name for mechanism in MECHANISMS}) == len(MECHANISMS) >= 11
