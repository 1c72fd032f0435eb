"""The only place that draws noise: OpenDP's exact discrete Gaussian on integers.

Sources: Canonne, Kamath and Steinke 2020, "The Discrete Gaussian for Differential Privacy" (mechanism and zCDP
bound, theorem 4); OpenDP ``make_gaussian`` on ``i64`` vectors (sampler and privacy map). There is no seed, no way
to turn the noise off and no float in the path. OpenDP is imported on first use because it is slow to load.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from trustquery.errors import TrustQueryError
from trustquery.model.unknown import MAX_UNKNOWN_KEYS
from trustquery.planning.plan import Block, Plan
from trustquery.privacy.budget import ATTO, NANO

__all__ = ["CELL_LIMIT", "add_noise", "draw_noise", "release_keys", "warm_up"]

CELL_LIMIT = 2**62
DRAWS_AT_A_TIME = 4_096
_LARGEST = 2**63 - 1
_MAP_SLACK = 1e-9
"""OpenDP rounds its own float map upwards; the exact integer charge is compared with this relative slack."""


def _opendp() -> Any:
    import opendp.prelude as dp

    dp.enable_features("contrib")
    return dp


def warm_up() -> None:
    """Load the library at start, so that loading never races a slot and no node that cannot draw noise starts."""
    _opendp()


def draw_noise(plan: Plan) -> list[int]:
    """Independent discrete Gaussian noise for every integer of a plan's vector, drawn on all processors.

    It depends on the plan alone, so that it can be drawn while the engine runs. It must be used once, or thrown away.

    Raises:
        TrustQueryError: ``internal-fault`` when OpenDP's own privacy map disagrees with the charge.
    """
    parts = [
        (block, min(DRAWS_AT_A_TIME, block.length - start))
        for block in plan.blocks
        for start in range(0, block.length, DRAWS_AT_A_TIME)
    ]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        drawn = pool.map(lambda part: _measurement(part[0])([0] * part[1]), parts)
        return [value for part in drawn for value in part]


def add_noise(vector: Sequence[int], plan: Plan, drawn: Sequence[int] | None = None) -> list[int]:
    """Add independent discrete Gaussian noise to every integer of the vector.

    Args:
        vector: ``plan.length`` integers within ±2^62, bounded per person as the plan says.
        plan: gives each block's sigma.
        drawn: what ``draw_noise`` drew for this release; drawn now when None.

    Returns:
        A new list of the same length.

    Raises:
        TrustQueryError: ``internal-fault`` when the vector does not fit the plan, or OpenDP's own privacy map
            disagrees with the charge.

    Privacy:
        Input metric: change of one person's rows. Sensitivity: each block's ``l2_sensitivity_squared``.
        Output measure: zCDP, the sum of the blocks' ``rho_nano``. Failures depend on the plan only.
    """
    if plan.has_unknown_keys or len(vector) != plan.length or any(abs(value) > CELL_LIMIT for value in vector):
        raise TrustQueryError("internal-fault", incident="vector-shape")
    noise = draw_noise(plan) if drawn is None else drawn
    if len(noise) != plan.length:
        raise TrustQueryError("internal-fault", incident="vector-shape")
    # 64 bits hold the sum but for noise that no sigma of ours gives; the end of their range is no news of anybody.
    return [max(-_LARGEST, min(_LARGEST, value + error)) for value, error in zip(vector, noise, strict=True)]


def release_keys(counts: Mapping[str, int], plan: Plan) -> dict[str, int]:
    """Add discrete Gaussian noise to the count of each key found in the data; drop those below the threshold.

    Args:
        counts: label of a cell (``model.unknown``) to its count, which is above 0 and bounded per person as the plan
            says; keys that nobody has are absent.
        plan: of a thresholded release.

    Returns:
        The keys that may be named, with noised counts, in the order of their labels.

    Raises:
        TrustQueryError: ``internal-fault`` when the counts do not fit the plan, or OpenDP's own privacy map
            disagrees with the charge in rho or delta.

    Privacy:
        Input metric: change of one person's rows: at most G keys, each by at most R, so sqrt(G)·R in L2. Output
        measure: approximate zCDP, the block's ``rho_nano`` and ``delta_atto``. Failures depend on the plan, and on
        whether there are more than 50,000 keys.

    Source: OpenDP ``make_gaussian_threshold``; Rogers 2023, "A Unifying Privacy Analysis Framework for Unknown Domain
        Algorithms in Differential Privacy".
    """
    if not plan.has_unknown_keys or len(plan.blocks) != 1 or len(counts) > MAX_UNKNOWN_KEYS:
        raise TrustQueryError("internal-fault", incident="vector-shape")
    if any(not 0 < value <= CELL_LIMIT for value in counts.values()):
        raise TrustQueryError("internal-fault", incident="vector-shape")
    [block] = plan.blocks
    dp = _opendp()
    space = (
        dp.map_domain(dp.atom_domain(T=str), dp.atom_domain(T="i64")),
        dp.l02inf_distance(dp.absolute_distance(T=float)),
    )
    measurement = dp.m.make_gaussian_threshold(*space, scale=block.sigma_float, threshold=block.threshold)
    l2 = math.nextafter(math.sqrt(block.l2_sensitivity_squared), math.inf)
    rho, delta = measurement.map((block.bound.groups, l2, float(block.bound.rows)))
    if rho > block.rho_nano / NANO * (1 + _MAP_SLACK) or delta > block.delta_atto / ATTO:
        raise TrustQueryError("internal-fault", incident="privacy-map")
    noised: dict[str, int] = measurement(dict(counts))
    return dict(sorted(noised.items()))


def _measurement(block: Block) -> Any:
    dp = _opendp()
    # T=int would mean 32 bits in OpenDP; and the distance is float because sensitivities are square roots.
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T=float)
    measurement = dp.m.make_gaussian(*space, scale=block.sigma_float)
    distance = math.nextafter(math.sqrt(block.l2_sensitivity_squared), math.inf)
    if measurement.map(distance) > block.rho_nano / NANO * (1 + _MAP_SLACK):
        raise TrustQueryError("internal-fault", incident="privacy-map")
    return measurement
