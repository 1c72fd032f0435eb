"""The style sheet, script and icons of every page."""

from __future__ import annotations

from starlette.responses import Response

from coordinator.api.door import acts, doors
from trustquery.errors import TrustQueryError
from trustquery.web import PREFIX, find

__all__ = ["router"]

YEAR = 31_536_000
router = doors(prefix=PREFIX)


@router.get("/{version}/{name:path}")
@acts("public.read")
async def static(version: str, name: str) -> Response:
    """One file; its address has its content's hash in it, so it may be kept for ever."""
    file = find(version, name)
    if file is None:
        raise TrustQueryError("usage-not-here")
    return Response(file.body, headers={"Cache-Control": f"public, max-age={YEAR}, immutable"}, media_type=file.kind)
