"""The privacy promise, measured on the shipped functions: ``python -m audits``, or ``make audit-privacy``.

Nothing here ships. Seeds choose data and plans only, never noise. The planted faults in ``audits.controls`` must never
be imported by the product: an import contract in pyproject.toml says so.
"""
