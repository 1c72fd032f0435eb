"""What stands around a page's own content."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Frame", "Link"]


@dataclass(frozen=True)
class Link:
    """A link with its words."""

    text: str
    href: str


@dataclass(frozen=True)
class Frame:
    """Header, navigation and footer of one page.

    Attributes:
        service: what this is, which ends every page's title too.
        organisation: whose it is: the federation, or the trust.
        home: where the name leads.
        navigation: what this person can go to.
        here: this page's own path: the navigation marks where one is.
        account: whom the page greets as signed in; "" for nobody.
        mark: what every form of this session carries (``form_mark``); "" without a session.
        sign_out: where its form is sent.
        phase: how finished this is, in words; "" for no banner.
        help: where help stands, on every page the same.
        footer: more links there.
        closing: the footer's sentence.
        scripts: whether the kit's script is loaded. Pages do everything without it.
    """

    service: str
    organisation: str
    home: str
    help: Link
    navigation: tuple[Link, ...] = ()
    here: str = ""
    account: str = ""
    mark: str = ""
    sign_out: str = ""
    phase: str = ""
    footer: tuple[Link, ...] = ()
    closing: str = ""
    scripts: bool = False

    @property
    def links_below(self) -> tuple[Link, ...]:
        """The footer's links, help first."""
        return (self.help, *self.footer)

    def current(self, link: Link) -> bool:
        """Whether a link of the navigation leads to this page, or to what it belongs to."""
        return self.here == link.href or (self.here.startswith(link.href.rstrip("/") + "/") and link.href != self.home)
