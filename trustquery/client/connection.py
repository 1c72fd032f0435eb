"""A signed-in connection: projects, datasets, past queries."""

from __future__ import annotations

import json
from typing import Any

from trustquery.catalogue import Catalogue
from trustquery.client.applications import Applications
from trustquery.client.approved import Inputs
from trustquery.client.config import ClientHome, ClientSettings
from trustquery.client.http import Http
from trustquery.client.intent_keys import load_intent_key
from trustquery.client.project import Project
from trustquery.client.reviews import Reviews
from trustquery.client.signin import Hands, open_http, resume
from trustquery.errors import TrustQueryError
from trustquery.identity import Root, SigningKey

__all__ = ["Connection"]


class Connection:
    """One analyst at one coordinator. Close it, or use it in a ``with`` statement."""

    def __init__(self, home: ClientHome, settings: ClientSettings, http: Http, hands: Hands | None = None) -> None:
        self.home = home
        self._hands = hands or Hands()
        self.settings = settings
        self.http = http
        self._catalogues: dict[str, Catalogue] = {}

    @classmethod
    def open(cls, home: ClientHome, hands: Hands | None = None) -> Connection:
        """Connect with the sign-in kept in a home folder.

        Args:
            hands: what is asked of the person; nothing where there is none.

        Raises:
            TrustQueryError: ``config-missing``, ``auth-…``, ``node-unreachable``.
        """
        settings = home.settings()
        http = open_http(home, settings)
        try:
            resume(home, settings, http, hands)
        except BaseException:
            http.close()
            raise
        return cls(home, settings, http, hands)

    def close(self) -> None:
        """Close the connection; the sign-in stays."""
        self.http.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    @property
    def federation(self) -> str:
        """The federation's name, from the root kept in the home folder."""
        return Root.from_payload(self.home.root.read_bytes()).federation

    def key(self) -> SigningKey:
        """The key that you sign with.

        Raises:
            TrustQueryError: ``auth-keyring``, ``auth-passphrase``, ``config-missing``, ``config-key-file``.
        """
        return load_intent_key(self.settings.key, self.home.key_path(self.settings), self._hands.passphrase)

    def applications(self) -> Applications:
        """Applications, and decisions on them."""
        return Applications(self)

    def inputs(self) -> Inputs:
        """Codelists and look-ups of the federation: uploaded, approved, used by name."""
        return Inputs(self)

    def reviews(self) -> Reviews:
        """Merged results in review, for output checkers."""
        return Reviews(self)

    def projects(self) -> list[dict[str, Any]]:
        """Your projects: name, title, state, datasets, expiry."""
        found = self.http.get("/v1/projects")["projects"]
        return list(found)

    def project(self, name: str) -> Project:
        """One project, its permit and roster verified here.

        Raises:
            TrustQueryError: ``project-unknown``, ``auth-document``.
        """
        return Project.fetch(self, name)

    def datasets(self) -> list[dict[str, Any]]:
        """The federation's datasets, in short."""
        return list(self.http.get("/v1/datasets")["datasets"])

    def dataset(self, name: str) -> Catalogue:
        """One dataset's catalogue.

        Raises:
            TrustQueryError: ``query-unknown-dataset``.
        """
        if name not in self._catalogues:
            found = self.http.get(f"/v1/datasets/{name}")
            try:
                catalogue = Catalogue.model_validate_json(json.dumps(found["catalogue"]))
            except (ValueError, KeyError) as error:
                raise TrustQueryError(
                    "config-catalogue-invalid", catalogue=name, problem="it is not one that this version can read"
                ) from error
            self._catalogues[name] = catalogue
        return self._catalogues[name]

    def history(self, limit: int = 20) -> list[dict[str, Any]]:
        """Your queries, newest first."""
        return list(self.http.get("/v1/queries", limit=limit)["queries"])

    def status(self, query: str) -> dict[str, Any]:
        """One of your queries, by id or the beginning of it (8 digits or more)."""
        return self.http.get(f"/v1/queries/{query}")

    def cancel(self, query: str) -> bool:
        """Close one of your queries without a result; what was charged stays charged."""
        return bool(self.http.post(f"/v1/queries/{query}/cancel", {})["cancelled"])

    def publish(self, query: str) -> str:
        """Make a released result of a project that you lead public; returns the question's hash.

        Raises:
            TrustQueryError: ``query-unknown``, ``query-not-released``, ``query-published``, ``query-withdrawn``.
        """
        return str(self.http.post(f"/v1/queries/{query}/publish", {})["query_hash"])

    def withdraw(self, query: str, reason: str) -> str:
        """Withdraw a release, for good; returns the question's hash. The reason is published.

        Raises:
            TrustQueryError: ``query-unknown``, ``query-not-released``, ``query-withdrawn``.
        """
        return str(self.http.post(f"/v1/queries/{query}/withdraw", {"reason": reason})["query_hash"])
