"""Epsilons by Google's ``dp-accounting``, for compositions on stdin; run by the interpreter of ``.accounting-venv``.

It imports nothing of ours: its packages disagree with ours about versions, and an accountant that checks ours should
share nothing with it. Input: one JSON object with ``delta`` and ``compositions``, each a step of the loss grid (0: no
such accountant) and a list of noise multipliers (sigma over sensitivity). Output: one JSON list a line: epsilon by
Renyi moments, by privacy loss distribution (null where not asked for), and of the one Gaussian that the composition
equals.
"""

import json
import math
import sys

import dp_accounting
from dp_accounting import pld, rdp

__all__ = ["main"]


def main() -> None:
    """Answer every composition, in order."""
    asked = json.load(sys.stdin)
    delta = float(asked["delta"])
    for step, multipliers in asked["compositions"]:
        event = dp_accounting.ComposedDpEvent([dp_accounting.GaussianDpEvent(m) for m in multipliers])
        moments = rdp.RdpAccountant().compose(event).get_epsilon(delta)
        grid = None
        if step:
            grid = pld.PLDAccountant(value_discretization_interval=step).compose(event).get_epsilon(delta)
        single = 1 / math.sqrt(math.fsum(1 / m**2 for m in multipliers))
        print(json.dumps([moments, grid, dp_accounting.get_epsilon_gaussian(single, delta)]), flush=True)


if __name__ == "__main__":
    main()
