"""Canonical JSON: RFC 8785 without floats, one encoding of each value, one strict reader."""

from typing import Any

import pytest

from tests.lib.refusals import code_of
from trustquery.identity import canonical


@pytest.mark.parametrize(
    ("data", "encoded"),
    [
        # RFC 8785, section 3.2.3: keys by UTF-16 code units.
        (
            {
                "\u20ac": "Euro Sign",
                "\r": "Carriage Return",
                "\ufb33": "Hebrew Letter Dalet With Dagesh",
                "1": "One",
                "\U0001f600": "Emoji: Grinning Face",
                "\u0080": "Control",
                "\u00f6": "Latin Small Letter O With Diaeresis",
            },
            (
                '{"\\r":"Carriage Return","1":"One","\u0080":"Control","ö":"Latin Small Letter O With Diaeresis",'
                '"€":"Euro Sign","😀":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}'
            ),
        ),
        # RFC 8785, section 3.2.2: literals and strings.
        ({"literals": [None, True, False]}, '{"literals":[null,true,false]}'),
        ('€$\u000f\nA\'B"\\\\"/', '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'),
        ("\b\t\n\f\r\u0000\u007f", '"\\b\\t\\n\\f\\r\\u0000\u007f"'),
        ({}, "{}"),
        ([], "[]"),
        ({"b": 1, "a": {"d": [], "c": 0}}, '{"a":{"c":0,"d":[]},"b":1}'),
        (2**53 - 1, "9007199254740991"),
        (-(2**53) + 1, "-9007199254740991"),
        # Not normalised: two spellings of é are two texts.
        (["é", "e\u0301"], '["é","e\u0301"]'),
    ],
)
def test_known_encodings(data: Any, encoded: str) -> None:
    assert canonical.encode(data) == encoded.encode()
    assert canonical.decode(encoded.encode()) == data


@pytest.mark.parametrize(
    "data",
    [
        1.5,
        [1.0],
        {"a": {"b": [0.0]}},
        float("nan"),
        2**53,
        -(2**53),
        {1: 2},
        {True: 1},
        "\ud800",
        {"\ud800": 1},
        {1, 2},
        b"bytes",
        object(),
    ],
)
def test_what_has_no_encoding_is_refused(data: Any) -> None:
    assert code_of(lambda: canonical.encode(data)) == "auth-document"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b" 1",
        b"1 ",
        b"1\n",
        b"1x",
        b"1 1",
        b'{"a":1,}',
        b'{"b":1,"a":2}',
        b'{"a": 1}',
        b'{"a":1,"a":1}',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":1,"\\u0061":2}',
        b'"\\u0061"',
        b'"\\/"',
        b'"\\ud800"',
        b'{"\\ud800":1}',
        b'"\xed\xa0\x80"',
        b'"\xff"',
        b"1.0",
        b"1e2",
        b"-0",
        b"01",
        b"+1",
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"9007199254740992",
        b"1" * 5000,
        b"'a'",
        b"\xef\xbb\xbf1",
        "1".encode("utf-16"),
        b"[" * 100_000,
        b"[" * 202 + b"]" * 202,
    ],
)
def test_what_is_not_canonical_is_refused(payload: bytes) -> None:
    assert code_of(lambda: canonical.decode(payload)) == "auth-document"


def test_a_document_has_at_most_four_mebibytes() -> None:
    limit = canonical.MAX_DOCUMENT_BYTES
    assert limit == 4 * 1024 * 1024
    for length, code in ((limit - 1, ""), (limit, ""), (limit + 1, "auth-document")):
        payload = b'"' + b"x" * (length - 2) + b'"'
        assert code_of(lambda payload=payload: canonical.decode(payload)) == code
