"""What the settings of every program share: strict tables, addresses, the home folder, the file's text.

Each program reads the environment in a ``config.py`` of its own and says its own words; this module says how.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from trustquery.errors import TrustQueryError

__all__ = ["ADDRESS", "Address", "Strict", "chosen_home", "split_address", "text_of"]

ADDRESS = r"^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):[1-9][0-9]{0,4}$"
"""host:port; an IPv6 address stands in brackets."""
Address = Annotated[str, Field(pattern=ADDRESS)]


class Strict(BaseModel):
    """Base of every table of a settings file: no unknown key, no guessing of types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def split_address(address: str) -> tuple[str, int]:
    """Host, without brackets, and port of ``host:port``."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def chosen_home(given: Path | None, named: str, *, variable: str) -> Path:
    """The home folder of a program that has no default one.

    Args:
        given: by ``--home``; it counts first.
        named: what the environment says, "" for nothing.
        variable: of the environment, for the error.

    Raises:
        TrustQueryError: ``config-missing`` when neither is given.
    """
    if given is None and not named:
        raise TrustQueryError("config-missing", path="the home folder", instead=f"give --home or set {variable}")
    return (given if given is not None else Path(named)).expanduser().absolute()


def text_of(path: Path, *, instead: str) -> str:
    """The text of a settings file.

    Args:
        instead: what to do where there is none.

    Raises:
        TrustQueryError: ``config-missing``, ``config-invalid`` where it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise TrustQueryError("config-missing", path=path, instead=instead) from error
    except UnicodeDecodeError as error:
        raise TrustQueryError("config-invalid", place=str(path), problem="it is not UTF-8 text") from error
