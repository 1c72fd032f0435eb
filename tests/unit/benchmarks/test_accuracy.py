"""The accuracy benchmark's own arithmetic, and that its questions are what they say."""

from __future__ import annotations

import datetime
import math
from decimal import Decimal

import pytest

from benchmarks.accuracy.arms import foreseen, lighter, words
from benchmarks.accuracy.metric import Cells, Error, cells_of, error, gain, mean_error
from benchmarks.accuracy.questions import QUESTIONS, Question
from trustquery.catalogue import load
from trustquery.forecast.error import Forecast, OutputForecast
from trustquery.language import compile_query

CATALOGUE = load("nhs-episodes")


def test_an_error_is_the_mean_distance_over_the_mean_truth() -> None:
    truth: Cells = {("a",): 10.0, ("b",): 30.0}
    assert error({("a",): 12.0, ("b",): 24.0}, truth) == Error(8 / 40, math.sqrt(20) / 20)
    assert error({("a",): 10.0, ("b",): 30.0, ("c",): 5.0}, truth) == Error(0.0, 0.0)


@pytest.mark.parametrize("found", [{("b",): 30.0}, {("a",): math.nan, ("b",): 30.0}])
def test_what_is_withheld_is_wrong_by_its_whole_size(found: dict[tuple[str, ...], float]) -> None:
    assert error(found, {("a",): 10.0, ("b",): 30.0}).mean == 0.25


def test_draws_are_averaged_and_squares_of_squares() -> None:
    assert mean_error([Error(0.1, 3.0), Error(0.3, 4.0)]) == Error(0.2, math.sqrt(12.5))


@pytest.mark.parametrize(("other", "ours", "times"), [(0.4, 0.1, 4.0), (0.0, 0.0, 1.0), (0.1, 0.0, math.inf)])
def test_a_gain_says_how_many_times_smaller(other: float, ours: float, times: float) -> None:
    assert gain(other, ours) == times


def test_rows_of_an_engine_are_cells_with_keys_as_text() -> None:
    rows = [
        (datetime.datetime(2024, 1, 1), 3, 5),
        (datetime.date(2024, 2, 1), 3, 6.5),
        (None, 3, 7),
        (datetime.date(2024, 3, 1), 3, None),
    ]
    assert cells_of(rows, 2) == {("2024-01-01", "3"): 5.0, ("2024-02-01", "3"): 6.5}


@pytest.mark.parametrize(("relative", "cut_off", "expected"), [
    (1.959963984540054, 0.0, 0.7978845608028654),  # mean of |N(0, 1)|
    (0.0, 0.25, 0.25),
    (1.959963984540054, 3.0, 3.0007643),  # mean of |N(3, 1)|
])  # fmt: skip
def test_a_forecast_is_compared_as_a_mean_distance(relative: float, cut_off: float, expected: float) -> None:
    told = Forecast((), (OutputForecast("n", False, 10.0, 10 * relative, relative, cut_off),), True)
    assert foreseen(told) == pytest.approx(expected, rel=1e-6)


def test_a_quantile_s_forecast_is_in_ranks_and_not_compared() -> None:
    assert math.isnan(foreseen(Forecast((), (OutputForecast("n", True, 1.0, 0.1, 0.1, 0.0),), True)))


def test_profiles_are_taken_from_every_statistic_in_proportion() -> None:
    query = compile_query(
        "SELECT avg(length_of_stay) AS nights FROM admission", CATALOGUE, epsilon=Decimal(1),
        max_groups_per_person=1, max_rows_per_group=5,
    )  # fmt: skip
    less = lighter(query, query.rho_nano // 4)
    assert query.rho_nano * 3 // 4 - 2 <= less.rho_nano <= query.rho_nano * 3 // 4 + 1
    assert words(less) == "sum G=1 R=5 50 %; count G=1 R=5 50 %"
    with pytest.raises(ValueError, match="profiles cost more"):
        lighter(query, query.rho_nano)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.id)
def test_every_question_compiles_and_reads_the_tables_it_names(question: Question) -> None:
    query = compile_query(question.sql, CATALOGUE, epsilon=Decimal(1), max_groups_per_person=1, max_rows_per_group=1)
    assert query.tables() == set(question.tables)
    assert len(query.keys) == question.keys
    assert len(query.outputs) == question.keys + 1


def test_there_are_a_dozen_questions() -> None:
    assert len({question.id for question in QUESTIONS}) == 12
