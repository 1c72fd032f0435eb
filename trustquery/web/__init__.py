"""What pages are made of, for coordinator and node alike: layout, macros, style sheet, headers, forms, sheets.

Templates and files only; whoever serves them brings the socket.
"""

from trustquery.web.files import PREFIX, StaticFile, address, find, version
from trustquery.web.forms import Fields, Form, foreign, form_mark, read_form
from trustquery.web.frame import Frame, Link
from trustquery.web.headers import PLAIN, SCRIPTED, Headers
from trustquery.web.render import environment
from trustquery.web.sheets import Sheet, wanted

__all__ = [
    "PLAIN",
    "PREFIX",
    "SCRIPTED",
    "Fields",
    "Form",
    "Frame",
    "Headers",
    "Link",
    "Sheet",
    "StaticFile",
    "address",
    "environment",
    "find",
    "foreign",
    "form_mark",
    "read_form",
    "version",
    "wanted",
]
