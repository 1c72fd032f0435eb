"""The analyst's home folder. The only reader of the environment in this package."""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from trustquery.errors import TrustQueryError
from trustquery.settings import Address, Strict, text_of

__all__ = ["ClientHome", "ClientSettings", "find_home"]


class ClientSettings(Strict):
    """``client.toml``: where the coordinator is, who signs in how, and with which key they sign.

    Attributes:
        sign_in: ``browser``, or ``key`` where the coordinator lets the key alone sign in.
    """

    coordinator: Address
    user: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    key: str = Field(min_length=1)
    sign_in: Literal["browser", "key"] = "browser"


@dataclass(frozen=True)
class ClientHome:
    """The folder and the files in it."""

    path: Path

    @property
    def settings_file(self) -> Path:
        """``client.toml``."""
        return self.path / "client.toml"

    @property
    def authority(self) -> Path:
        """Certificate of the federation's transport authority: the only one believed."""
        return self.path / "authority.pem"

    @property
    def root(self) -> Path:
        """The federation's trust anchor."""
        return self.path / "root.json"

    @property
    def session(self) -> Path:
        """The sign-in token, readable by its owner alone."""
        return self.path / "session.json"

    @property
    def seen(self) -> Path:
        """Newest versions of signed documents seen: they never go backwards."""
        return self.path / "seen.json"

    @property
    def logs(self) -> Path:
        """The last head of each log that was found good, and the key that signed it."""
        return self.path / "logs.json"

    @property
    def profiles(self) -> Path:
        """Released profiles as they were fetched; each is verified again whenever it is read."""
        return self.path / "profiles"

    @property
    def default_key(self) -> Path:
        """Where ``tq login --new-key`` puts the key."""
        return self.path / "key.pem"

    def settings(self) -> ClientSettings:
        """Read ``client.toml``.

        Raises:
            TrustQueryError: ``config-missing``, ``config-invalid``.
        """
        text = text_of(self.settings_file, instead="run `tq login --connect CODE --user NAME` first")
        try:
            return ClientSettings.model_validate(tomllib.loads(text))
        except (ValueError, RecursionError) as error:
            raise TrustQueryError(
                "config-invalid", place=str(self.settings_file), problem="client.toml needs coordinator, user and key"
            ) from error

    def key_path(self, settings: ClientSettings) -> Path:
        """The key file; a relative path starts at the home folder."""
        return (self.path / Path(settings.key).expanduser()).absolute()

    def write_settings(self, settings: ClientSettings) -> None:
        """Write ``client.toml``."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lines = ["# The analyst's settings, written by `tq login`."]
        lines += [f"{name} = {json.dumps(value)}" for name, value in settings.model_dump().items()]
        self.settings_file.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def replace_private(self, path: Path, content: bytes) -> None:
        """Put new content into a file that only its owner can read, in one step."""
        fresh = path.with_name(path.name + ".new")
        fresh.unlink(missing_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(fresh, path)

    def read_json(self, path: Path) -> dict[str, Any]:
        """A small JSON file, {} when there is none or it is damaged."""
        try:
            data = json.loads(path.read_bytes())
        except (OSError, ValueError):
            return {}
        return data if isinstance(data, dict) else {}


def find_home(given: Path | str | None = None) -> ClientHome:
    """The home folder: as given, ``TQ_HOME``, or ``~/.trustquery/client``."""
    chosen = given or os.environ.get("TQ_HOME") or "~/.trustquery/client"
    return ClientHome(Path(chosen).expanduser().absolute())
