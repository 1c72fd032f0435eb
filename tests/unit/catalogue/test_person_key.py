"""A person key is compared as text on every engine, so its type is one with a single text for each value."""

import pytest

from tests.factories.catalogues import MADE_UP
from tests.lib.refusals import refusal
from trustquery.catalogue import ColumnType, parse

KEY = '{ name = "pid", type = "text", role = "person-key"'


@pytest.mark.parametrize("type", ColumnType)
def test_a_person_key_is_an_integer_or_text(type: ColumnType) -> None:
    assert MADE_UP.count(KEY) == 1
    error = refusal(lambda: parse(MADE_UP.replace(KEY, KEY.replace('"text"', f'"{type}"')), name="made-up"))
    if type in (ColumnType.INTEGER, ColumnType.TEXT):
        assert error is None
    else:
        assert error is not None
        assert (error.code, error.problem.place) == ("config-catalogue-invalid", "dose")
