"""Test vectors of the scalar functions: what each gives for ordinary, missing and odd arguments, on every engine.

A call is written over one row with two columns of each type (``COLUMNS``). Its arguments are given in the order in
which the columns first stand in the call, separated by semicolons; nothing is a missing value. Text stands in single
quotes; in arguments and results ``\\t``, ``\\n``, ``\\u0301`` and ``\\\\`` are one character. The specification runs
every vector; the manual prints them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["COLUMNS", "VECTORS", "Vector"]

COLUMNS = {
    **dict.fromkeys("ij", "integer"),
    **dict.fromkeys("xy", "number"),
    **dict.fromkeys("st", "text"),
    **dict.fromkeys("de", "date"),
    **dict.fromkeys("ab", "timestamp"),
    **dict.fromkeys("pq", "boolean"),
}


@dataclass(frozen=True)
class Vector:
    """One call with its arguments and its result, as they are written in the manual."""

    call: str
    arguments: str
    result: str


_TABLES = r"""
# and
| p AND q | true; true | true |
| p AND q | true; false | false |
| p AND q | true; |  |
| p AND q | false; | false |
| p AND q | ; |  |
| i BETWEEN 1 AND 3 | 3 | true |
| i BETWEEN 1 AND 3 | 4 | false |
| i BETWEEN 1 AND 3 |  |  |
# or
| p OR q | false; false | false |
| p OR q | false; true | true |
| p OR q | true; | true |
| p OR q | false; |  |
# not
| NOT p | true | false |
| NOT p | false | true |
| NOT p |  |  |
| NOT (p IS NULL) | true | true |
| i IS NOT DISTINCT FROM j | 1; | false |
| i IS NOT DISTINCT FROM j | ; | true |
| s NOT LIKE 'E1%' | 'E11' | false |
| s NOT LIKE 'E1%' | 'F1' | true |
| s NOT LIKE 'E1%' |  |  |
# eq
| i = j | 3; 3 | true |
| i = j | 9007199254740993; 9007199254740992 | false |
| i = j | 3; |  |
| i = x | 3; 3.0 | true |
| i = x | 9007199254740993; 9007199254740992.0 | true |
| x = y | 0.0; -0.0 | true |
| x = y | inf; inf | true |
| x = y | nan; nan |  |
| s = t | 'a'; 'a' | true |
| s = t | 'a'; 'A' | false |
| s = t | 'é'; 'e\u0301' | false |
| s = t | ''; 'a' | false |
| d = e | 2020-02-29; 2020-02-29 | true |
| a = d | 2020-02-29T00:00:00; 2020-02-29 | true |
| a = d | 2020-02-29T00:00:01; 2020-02-29 | false |
| p = q | true; false | false |
# ne
| i <> j | 3; 4 | true |
| i <> j | 3; |  |
| s <> t | 'a'; 'b' | true |
# lt
| x < y | -inf; -1e308 | true |
| x < y | inf; inf | false |
| x < y | nan; 1 |  |
| x < y | ; 1 |  |
| i < j | -9223372036854775808; 9223372036854775807 | true |
| s < t | 'Z'; 'a' | true |
| s < t | 'z'; 'é' | true |
| s < t | ''; 'a' | true |
| d < e | 2019-12-31; 2020-01-01 | true |
| a < d | 2019-12-31T23:59:59.999999; 2020-01-01 | true |
| p < q | false; true | true |
# le
| x <= y | 1; 1 | true |
| x <= y | ; 1 |  |
# gt
| x > y | 1; 0.9999999999999999 | true |
| x > y | 1; |  |
# ge
| i >= j | 2; 3 | false |
| i >= j | 3; 3 | true |
| i >= j | ; |  |
# is_distinct
| i IS DISTINCT FROM j | 1; 2 | true |
| i IS DISTINCT FROM j | 1; 1 | false |
| i IS DISTINCT FROM j | 1; | true |
| i IS DISTINCT FROM j | ; | false |
| i IS DISTINCT FROM x | 3; 3.0 | false |
| x IS DISTINCT FROM y | nan; nan | false |
| x IS DISTINCT FROM y | inf; inf | false |
| x IS DISTINCT FROM y | 0.0; -0.0 | false |
| s IS DISTINCT FROM t | ''; | true |
| d IS DISTINCT FROM a | 2020-02-29; 2020-02-29T00:00:00 | false |
# is_null
| p IS NULL |  | true |
| p IS NULL | false | false |
| x IS NULL | nan | true |
| x IS NULL | inf | false |
| s IS NULL | '' | false |
# in
| i IN (1, 2) | 2 | true |
| i IN (1, 2) | 3 | false |
| i IN (1, 2) |  |  |
| i IN (1, 2.5) | 1 | true |
| x IN (1, 2.5) | 2.5 | true |
| x IN (1, 2.5) | nan |  |
| x IN (1, 2.5) | inf | false |
| s IN ('a', '') | '' | true |
| d IN (DATE '2020-02-29') | 2020-02-29 | true |
| i IN (9007199254740991, 0.5) | 9007199254740993 | false |
# case
| CASE WHEN p THEN i ELSE j END | true; 1; 2 | 1 |
| CASE WHEN p THEN i ELSE j END | false; 1; 2 | 2 |
| CASE WHEN p THEN i ELSE j END | ; 1; 2 | 2 |
| CASE WHEN p THEN i END | false; 1 |  |
| CASE WHEN p THEN 'a' WHEN q THEN 'b' ELSE s END | false; true; 'c' | 'b' |
| CASE WHEN p THEN 'a' WHEN q THEN 'b' ELSE s END | true; true; 'c' | 'a' |
| CASE i WHEN 1 THEN 'one' ELSE 'more' END | 1 | 'one' |
| CASE i WHEN 1 THEN 'one' ELSE 'more' END |  | 'more' |
| CASE WHEN p THEN i ELSE x END | true; 3; 0.5 | 3.0 |
| CASE WHEN p THEN i ELSE x END | true; 9007199254740993; 0.5 | 9007199254740992.0 |
| if(p, x, y) | true; inf; 1 | inf |
| nullif(i, 0) | 0 |  |
| nullif(i, 0) | 7 | 7 |
| nullif(i, 0) |  |  |
# coalesce
| coalesce(i, j) | ; 2 | 2 |
| coalesce(i, j) | 1; 2 | 1 |
| coalesce(i, j) | ; |  |
| coalesce(x, 0) | nan | 0 |
| coalesce(x, 0) | -inf | -inf |
| coalesce(s, 'none') |  | 'none' |
| coalesce(s, 'none') | '' | '' |
| coalesce(a, d) | ; 2020-02-29 | 2020-02-29T00:00:00 |
| ifnull(i, 0) |  | 0 |
# greatest
| greatest(i, j) | 1; 2 | 2 |
| greatest(i, j) | 1; |  |
| greatest(i, j) | ; |  |
| greatest(i, j) | -9223372036854775808; 9223372036854775807 | 9223372036854775807 |
| greatest(i, x) | 3; 2.5 | 3.0 |
| greatest(x, y) | -inf; inf | inf |
| greatest(x, y) | nan; 1 |  |
| greatest(i, j, 5) | 1; 2 | 5 |
| greatest(s, t) | 'a'; 'B' | 'a' |
| greatest(s, t) | ''; 'é' | 'é' |
| greatest(d, e) | 2020-02-29; 2020-03-01 | 2020-03-01 |
| greatest(d, a) | 2020-02-29; 2020-02-29T00:00:01 | 2020-02-29T00:00:01 |
# least
| least(i, j) | 1; 2 | 1 |
| least(i, j) | ; 2 |  |
| least(i, x) | 3; 2.5 | 2.5 |
| least(x, y) | -inf; inf | -inf |
| least(s, t) | 'a'; 'B' | 'B' |
| least(d, e) | 0001-01-01; 9999-12-31 | 0001-01-01 |
| least(d, a) | 2020-02-29; 2020-02-29T00:00:01 | 2020-02-29T00:00:00 |
| least(i, j, 5) | 7; 9 | 5 |
# add
| x + y | 1; 2 | 3 |
| x + y | 1; |  |
| x + y | nan; 1 |  |
| x + y | 1e308; 1e308 | inf |
| x + y | inf; -inf |  |
| i + j | 9223372036854775807; 1 | 9223372036854775808 |
| i + j | 9007199254740992; 1 | 9007199254740992 |
# sub
| x - y | 1; 2 | -1 |
| x - y | -1e308; 1e308 | -inf |
| x - y | inf; inf |  |
| i - j | -9223372036854775808; 1 | -9223372036854775808 |
| x - y | ; 1 |  |
# mul
| x * y | 0.1; 3 | 0.30000000000000004 |
| x * y | 1e200; 1e200 | inf |
| x * y | 0; inf |  |
| x * y | 5e-324; 0.5 | 0 |
| i * j | 9223372036854775807; 2 | 18446744073709551616 |
| x * y | ; 2 |  |
| x * 0.12345678901234567 | 1 | 0.12345678901234567 |
# div
| x / y | 1; 3 | 0.3333333333333333 |
| i / j | 1; 2 | 0.5 |
| x / y | 1; 0 |  |
| x / y | 0; 0 |  |
| x / y | 1; -0.0 |  |
| x / y | inf; inf |  |
| x / y | 1; inf | 0 |
| x / y | 1e308; 1e-308 | inf |
| x / y | ; 1 |  |
# int_div
| i // j | 7; 2 | 3 |
| i // j | -7; 2 | -3 |
| i // j | 7; -2 | -3 |
| x // y | 7.5; 2 | 3 |
| i // j | 7; 0 |  |
| x // y | 7; -0.0 |  |
| x // y | inf; 2 | inf |
| x // y | 2; inf | 0 |
| x // y | inf; inf |  |
| x // y | 1e308; 1e-308 | inf |
| i // j | 9007199254740991; 2 | 4503599627370495 |
| i // j | 7; |  |
# mod
| i % j | 7; 3 | 1 |
| i % j | -7; 3 | -1 |
| i % j | 7; -3 | 1 |
| mod(i, j) | 6; 3 | 0 |
| x % y | 7.5; 2 | 1.5 |
| x % y | 7.9; 0.1 | 0.09999999999999992 |
| i % j | 7; 0 |  |
| x % y | 7; -0.0 |  |
| x % y | inf; 2 |  |
| x % y | 5; inf | 5 |
| x % y | 1e308; 3 | 2 |
| i % j | ; 3 |  |
# neg
| -x | 2.5 | -2.5 |
| -x | inf | -inf |
| -i | -9223372036854775808 | 9223372036854775808 |
| -x |  |  |
# abs
| abs(x) | -2.5 | 2.5 |
| abs(x) | -inf | inf |
| abs(i) | -9223372036854775808 | 9223372036854775808 |
| abs(x) | nan |  |
| abs(x) |  |  |
# floor
| floor(x) | 2.7 | 2 |
| floor(x) | -0.5 | -1 |
| floor(x) | inf | inf |
| floor(x) |  |  |
# ceil
| ceil(x) | 2.1 | 3 |
| ceil(x) | -0.5 | 0 |
| ceil(x) | inf | inf |
| ceil(i) | 9223372036854775807 | 9223372036854775808 |
| ceiling(x) | 2 | 2 |
| ceil(x) |  |  |
# round
| round(x) | 2.5 | 3 |
| round(x) | -2.5 | -3 |
| round(x) | 0.49999999999999994 | 0 |
| round(x) | 4503599627370497.5 | 4503599627370498 |
| round(i) | 9007199254740991 | 9007199254740991 |
| round(x) | inf | inf |
| round(x) | nan |  |
| round(x) |  |  |
| round(x, 2) | 2.675 | 2.68 |
| round(x, 2) | 1.005 | 1 |
| round(x, 2) | -0.125 | -0.13 |
| round(x, 1) | 0.05 | 0.1 |
| round(x, 6) | 0.1234565 | 0.123457 |
| round(x, 6) | 1e308 | 1e308 |
| round(x, 0) | 0.5 | 1 |
| round(x, 3) | -inf | -inf |
# sign
| sign(x) | -0.5 | -1 |
| sign(x) | -0.0 | 0 |
| sign(x) | inf | 1 |
| sign(i) | -9223372036854775808 | -1 |
| sign(x) | nan |  |
| sign(x) |  |  |
# sqrt
| sqrt(x) | 2 | 1.4142135623730951 |
| sqrt(x) | 0.01 | 0.1 |
| sqrt(i) | 9007199254740991 | 94906265.62425154 |
| sqrt(x) | -1 |  |
| sqrt(x) | -5e-324 |  |
| sqrt(x) | 5e-324 | 2.2227587494850775e-162 |
| sqrt(x) | 0 | 0 |
| sqrt(x) | inf | inf |
| sqrt(x) | -inf |  |
| sqrt(x) |  |  |
# clamp
| clamp(x, 0, 10) | 11 | 10 |
| clamp(x, 0, 10) | -0.5 | 0 |
| clamp(x, 0, 10) | 9.75 | 9.75 |
| clamp(x, 0, 10) | inf | 10 |
| clamp(x, 0, 10) | -inf | 0 |
| clamp(x, 0, 10) | nan |  |
| clamp(x, 0, 10) |  |  |
| clamp(i, 0, 10) | 9223372036854775807 | 10 |
| clamp(x, 0.1, 0.30000000000000004) | 1 | 0.30000000000000004 |
# band
| band(x, 18, 65) | 17.999 | '<18' |
| band(x, 18, 65) | 18 | '18-64' |
| band(x, 18, 65) | 64.999 | '18-64' |
| band(x, 18, 65) | 65 | '65+' |
| band(x, 18, 65) | inf | '65+' |
| band(x, 18, 65) | -inf | '<18' |
| band(x, 18, 65) | nan |  |
| band(x, 18, 65) |  |  |
| band(i, 0) | -9223372036854775808 | '<0' |
| band(i, -1, 0) | -1 | '-1' |
# age_band
| age_band(i) | -1 |  |
| age_band(i) | 0 | '0-4' |
| age_band(i) | 4 | '0-4' |
| age_band(x) | 4.999 | '0-4' |
| age_band(i) | 5 | '5-9' |
| age_band(i) | 89 | '85-89' |
| age_band(i) | 90 | '90+' |
| age_band(i) | 120 | '90+' |
| age_band(x) | inf | '90+' |
| age_band(x) | -inf |  |
| age_band(x) | -0.0 | '0-4' |
| age_band(x) | nan |  |
| age_band(i) |  |  |
# to_integer
| CAST(x AS INTEGER) | 2.5 | 2 |
| CAST(x AS INTEGER) | 3.5 | 4 |
| CAST(x AS INTEGER) | -1.7 | -2 |
| CAST(x AS INTEGER) | 9223372036854774784 | 9223372036854774784 |
| CAST(x AS INTEGER) | 9223372036854775808 |  |
| CAST(x AS INTEGER) | -9223372036854775808 | -9223372036854775808 |
| CAST(x AS INTEGER) | inf |  |
| CAST(x AS INTEGER) | -inf |  |
| CAST(x AS INTEGER) | nan |  |
| CAST(i AS BIGINT) | 9223372036854775807 | 9223372036854775807 |
| i::int | 7 | 7 |
| CAST(p AS INTEGER) | true | 1 |
| CAST(p AS INTEGER) | false | 0 |
| CAST(p AS INTEGER) |  |  |
| CAST(s AS INTEGER) | '42' | 42 |
| CAST(s AS INTEGER) | '-0042' | -42 |
| CAST(s AS INTEGER) | '+42' | 42 |
| CAST(s AS INTEGER) | '999999999999999' | 999999999999999 |
| CAST(s AS INTEGER) | '1000000000000000' |  |
| CAST(s AS INTEGER) | '' |  |
| CAST(s AS INTEGER) | ' 42' |  |
| CAST(s AS INTEGER) | '4.2' |  |
| CAST(s AS INTEGER) | '4e2' |  |
| CAST(s AS INTEGER) | '1_000' |  |
| CAST(s AS INTEGER) | '0x10' |  |
| CAST(s AS INTEGER) | '٤٢' |  |
| CAST(s AS INTEGER) | 'E11' |  |
| TRY_CAST(s AS INTEGER) | '--1' |  |
| TRY_CAST(s AS INTEGER) |  |  |
# to_number
| CAST(s AS DOUBLE) | '4.25' | 4.25 |
| CAST(s AS DOUBLE) | '-0.1' | -0.1 |
| CAST(s AS DOUBLE) | '+7' | 7 |
| CAST(s AS DOUBLE) | '999999999999999.999999999999999' | 1e15 |
| CAST(s AS DOUBLE) | '0.123456789012345' | 0.123456789012345 |
| CAST(s AS DOUBLE) | '1.' |  |
| CAST(s AS DOUBLE) | '.5' |  |
| CAST(s AS DOUBLE) | '1e5' |  |
| CAST(s AS DOUBLE) | 'nan' |  |
| CAST(s AS DOUBLE) | 'inf' |  |
| CAST(s AS DOUBLE) | '1,5' |  |
| CAST(s AS DOUBLE) | '' |  |
| CAST(s AS DOUBLE) | '5 ' |  |
| CAST(i AS DOUBLE) | 9007199254740993 | 9007199254740992 |
| CAST(x AS DOUBLE) | inf | inf |
| CAST(x AS DOUBLE) | nan |  |
| CAST(p AS DOUBLE) | true | 1 |
| TRY_CAST(s AS DOUBLE) |  |  |
# to_date
| CAST(a AS DATE) | 2020-02-29T23:59:59 | 2020-02-29 |
| CAST(a AS DATE) | 1969-12-31T23:59:59.999999 | 1969-12-31 |
| CAST(a AS DATE) |  |  |
| CAST(d AS DATE) | 2020-02-29 | 2020-02-29 |
| CAST(s AS DATE) | '2020-02-29' | 2020-02-29 |
| CAST(s AS DATE) | '2021-02-29' |  |
| CAST(s AS DATE) | '0001-01-01' | 0001-01-01 |
| CAST(s AS DATE) | '9999-12-31' | 9999-12-31 |
| CAST(s AS DATE) | '0000-01-01' |  |
| CAST(s AS DATE) | '10000-01-01' |  |
| CAST(s AS DATE) | '2020-2-9' |  |
| CAST(s AS DATE) | '2020-13-01' |  |
| CAST(s AS DATE) | '2020-01-00' |  |
| CAST(s AS DATE) | '31/01/2020' |  |
| CAST(s AS DATE) | '2020-01-01 10:00' |  |
| CAST(s AS DATE) | 'infinity' |  |
| CAST(s AS DATE) | '' |  |
| TRY_CAST(s AS DATE) |  |  |
# to_timestamp
| CAST(d AS TIMESTAMP) | 2020-02-29 | 2020-02-29T00:00:00 |
| CAST(a AS TIMESTAMP) | 2020-02-29T23:59:59.999999 | 2020-02-29T23:59:59.999999 |
| CAST(d AS TIMESTAMP) |  |  |
| CAST(s AS TIMESTAMP) | '2020-02-29 23:59:59' | 2020-02-29T23:59:59 |
| CAST(s AS TIMESTAMP) | '2020-02-29T00:00' | 2020-02-29T00:00:00 |
| CAST(s AS TIMESTAMP) | '2020-03-29 01:30:00' | 2020-03-29T01:30:00 |
| CAST(s AS TIMESTAMP) | '2020-02-29' |  |
| CAST(s AS TIMESTAMP) | '2021-02-29 00:00' |  |
| CAST(s AS TIMESTAMP) | '2020-02-29 24:00' |  |
| CAST(s AS TIMESTAMP) | '2020-02-29 23:60' |  |
| CAST(s AS TIMESTAMP) | '2020-02-29 23:59:60' |  |
| CAST(s AS TIMESTAMP) | '2020-02-29 23:59:59Z' |  |
| CAST(s AS TIMESTAMP) | '2020-02-29 23:59:59.5' |  |
| CAST(s AS TIMESTAMP) | '' |  |
| TRY_CAST(s AS TIMESTAMP) |  |  |
# year
| year(d) | 2020-02-29 | 2020 |
| year(a) | 1969-12-31T23:59:59.999999 | 1969 |
| year(d) | 0001-01-01 | 1 |
| year(d) | 9999-12-31 | 9999 |
| year(d) |  |  |
| extract(year FROM d) | 2020-02-29 | 2020 |
# quarter
| quarter(d) | 2020-03-31 | 1 |
| quarter(d) | 2020-04-01 | 2 |
| quarter(a) |  |  |
# month
| month(d) | 2020-12-31 | 12 |
| month(d) |  |  |
# day
| day(d) | 2020-02-29 | 29 |
| day(d) |  |  |
# isodow
| isodow(d) | 2021-01-03 | 7 |
| isodow(d) | 2021-01-04 | 1 |
| isodow(d) |  |  |
# hour
| hour(a) | 2020-01-01T23:59:59 | 23 |
| hour(a) | 2020-01-01T00:00:00 | 0 |
| hour(a) | 1969-12-31T22:00:00 | 22 |
| hour(coalesce(a, d)) | ; 2020-01-01 | 0 |
| hour(a) |  |  |
# minute
| minute(a) | 1969-12-31T23:59:59.999999 | 59 |
| minute(a) | 2020-01-01T00:00:00 | 0 |
| minute(a) |  |  |
# second
| second(a) | 2020-01-01T00:00:59.999999 | 59 |
| second(a) | 1969-12-31T23:59:59.999999 | 59 |
| second(a) | 2020-01-01T00:00:00 | 0 |
| second(a) |  |  |
# dayofyear
| dayofyear(d) | 2020-12-31 | 366 |
| dayofyear(d) | 2021-12-31 | 365 |
| dayofyear(a) | 0001-01-01T23:00:00 | 1 |
| extract(doy FROM d) | 2020-03-01 | 61 |
| dayofyear(d) |  |  |
# week
| week(d) | 2020-12-31 | 53 |
| week(d) | 2021-01-03 | 53 |
| week(d) | 2021-01-04 | 1 |
| week(d) | 2018-12-31 | 1 |
| week(d) | 0001-01-01 | 1 |
| week(d) | 9999-12-31 | 52 |
| weekofyear(a) | 2020-06-15T12:00:00 | 25 |
| week(d) |  |  |
# hour_of_week
| hour_of_week(a) | 2021-01-04T00:00:00 | 1 |
| hour_of_week(a) | 2021-01-03T23:59:59.999999 | 168 |
| hour_of_week(a) | 2021-01-05T00:00:00 | 25 |
| hour_of_week(a) | 1969-12-31T12:30:00 | 61 |
| hour_of_week(a) | 2020-03-29T01:30:00 | 146 |
| hour_of_week(a) |  |  |
# date_trunc
| date_trunc('year', d) | 2020-12-31 | 2020-01-01 |
| date_trunc('quarter', d) | 2020-12-31 | 2020-10-01 |
| date_trunc('month', d) | 2020-02-29 | 2020-02-01 |
| date_trunc('week', d) | 2021-01-03 | 2020-12-28 |
| date_trunc('week', d) | 2021-01-04 | 2021-01-04 |
| date_trunc('week', d) | 0001-01-07 | 0001-01-01 |
| date_trunc('day', a) | 2020-02-29T23:59:59.999999 | 2020-02-29 |
| date_trunc('day', a) | 1969-12-31T00:00:00.000001 | 1969-12-31 |
| date_trunc('month', d) |  |  |
# date_diff
| date_diff('day', d, e) | 2020-02-28; 2020-03-01 | 2 |
| date_diff('day', d, e) | 2020-03-01; 2020-02-28 | -2 |
| date_diff('day', a, b) | 2020-01-01T23:59:59; 2020-01-02T00:00:00 | 1 |
| date_diff('day', a, b) | 2020-01-01T00:00:00; 2020-01-01T23:59:59 | 0 |
| date_diff('day', d, a) | 2020-01-01; 2020-01-01T23:59:59 | 0 |
| date_diff('day', d, e) | 0001-01-01; 9999-12-31 | 3652058 |
| date_diff('day', d, e) | 2020-01-01; |  |
| date_diff('hour', a, b) | 2020-01-01T00:59:59; 2020-01-01T01:00:00 | 1 |
| date_diff('hour', a, b) | 1969-12-31T23:30:00; 1970-01-01T00:30:00 | 1 |
| date_diff('hour', a, b) | 1969-12-31T22:30:00; 1969-12-31T23:30:00 | 1 |
| date_diff('minute', a, b) | 1969-12-31T23:59:30; 1970-01-01T00:00:30 | 1 |
| date_diff('minute', a, b) | 2020-02-28T23:59:00; 2020-02-29T00:01:00 | 2 |
| date_diff('minute', a, b) | ; 2020-02-29T00:01:00 |  |
| date_diff('week', d, e) | 2021-01-03; 2021-01-04 | 1 |
| date_diff('week', d, e) | 2021-01-04; 2021-01-10 | 0 |
| date_diff('week', d, e) | 2021-01-04; 2021-01-03 | -1 |
| date_diff('week', d, e) | 0001-01-01; 9999-12-31 | 521722 |
| date_diff('week', a, b) | 1969-12-28T23:59:59; 1969-12-29T00:00:00 | 1 |
| date_diff('month', d, e) | 2020-01-31; 2020-02-01 | 1 |
| date_diff('month', d, e) | 2020-02-01; 2020-01-31 | -1 |
| date_diff('month', d, e) | 2020-02-01; 2020-02-29 | 0 |
| date_diff('month', d, e) | 2020-02-01; |  |
| date_diff('quarter', d, e) | 2020-03-31; 2020-04-01 | 1 |
| date_diff('quarter', a, d) | 1969-12-31T23:59:59.999999; 1970-01-01 | 1 |
| date_diff('year', d, e) | 2020-12-31; 2021-01-01 | 1 |
| date_diff('year', d, e) | 0001-01-01; 9999-12-31 | 9998 |
| date_diff('year', d, e) | ; 2021-01-01 |  |
| d - e | 2020-03-01; 2020-02-28 | 2 |
| d - e | 2020-03-01; |  |
# date_add
| d + INTERVAL 30 DAY | 2020-02-01 | 2020-03-02 |
| d + 30 | 2020-02-01 | 2020-03-02 |
| d - 1 | 2020-03-01 | 2020-02-29 |
| d - INTERVAL 1 DAY | 2021-03-01 | 2021-02-28 |
| d + INTERVAL 2 WEEKS | 2020-02-20 | 2020-03-05 |
| d + INTERVAL 1 MONTH | 2020-01-31 | 2020-02-29 |
| d + INTERVAL '1' MONTH | 2021-01-31 | 2021-02-28 |
| d - INTERVAL 1 MONTH | 2020-03-31 | 2020-02-29 |
| d + INTERVAL 1 QUARTER | 2020-11-30 | 2021-02-28 |
| d + INTERVAL 1 YEAR | 2020-02-29 | 2021-02-28 |
| d + INTERVAL 4 YEAR | 2020-02-29 | 2024-02-29 |
| INTERVAL 1 YEAR + d | 2020-02-28 | 2021-02-28 |
| d + INTERVAL (-1) DAY | 1970-01-01 | 1969-12-31 |
| date_add(d, INTERVAL 1 DAY) | 2020-02-28 | 2020-02-29 |
| d + INTERVAL 1 DAY | 9999-12-31 |  |
| d - INTERVAL 1 DAY | 0001-01-01 |  |
| d + INTERVAL 1 MONTH | 9999-12-01 |  |
| d - INTERVAL 10000 YEAR | 9999-12-31 |  |
| d + INTERVAL 9998 YEAR | 0001-12-31 | 9999-12-31 |
| d + INTERVAL 0 DAY | 9999-12-31 | 9999-12-31 |
| d + INTERVAL 30 DAY |  |  |
# timestamp_add
| a + INTERVAL 4 HOUR | 2020-02-28T22:30:00 | 2020-02-29T02:30:00 |
| a - INTERVAL 30 MINUTE | 1970-01-01T00:00:00 | 1969-12-31T23:30:00 |
| a + INTERVAL 1 HOUR | 2020-03-29T00:30:00 | 2020-03-29T01:30:00 |
| a + INTERVAL 1 MONTH | 2020-01-31T23:59:59.999999 | 2020-02-29T23:59:59.999999 |
| a + INTERVAL 30 DAY | 2020-02-01T12:00:00 | 2020-03-02T12:00:00 |
| d + INTERVAL 1 HOUR | 2020-02-29 | 2020-02-29T01:00:00 |
| d - INTERVAL 1 MINUTE | 2020-03-01 | 2020-02-29T23:59:00 |
| a + INTERVAL 1 MINUTE | 9999-12-31T23:59:00 |  |
| a - INTERVAL 1 HOUR | 0001-01-01T00:59:59 |  |
| a + INTERVAL 5000000000 MINUTE | 0001-01-01T00:00:00 | 9507-08-17T05:20:00 |
| a + INTERVAL 1 DAY |  |  |
# last_day
| last_day(d) | 2020-02-01 | 2020-02-29 |
| last_day(d) | 1900-02-28 | 1900-02-28 |
| last_day(a) | 2020-12-31T23:59:59 | 2020-12-31 |
| last_day(d) | 9999-12-01 | 9999-12-31 |
| last_day(d) |  |  |
# age_years
| age_years(d, e) | 2000-06-15; 2020-06-14 | 19 |
| age_years(d, e) | 2000-06-15; 2020-06-15 | 20 |
| age_years(d, e) | 2000-02-29; 2021-02-28 | 20 |
| age_years(d, e) | 2000-02-29; 2021-03-01 | 21 |
| age_years(d, e) | 2000-02-29; 2020-02-29 | 20 |
| age_years(d, e) | 2020-01-01; 2020-01-01 | 0 |
| age_years(d, e) | 2020-01-02; 2020-01-01 |  |
| age_years(d, a) | 2000-06-15; 2020-06-14T23:59:59 | 19 |
| age_years(d, e) | 0001-01-01; 9999-12-31 | 9998 |
| age_years(d, e) | 2020-01-02; |  |
| age_years(d, e) | ; 2020-01-02 |  |
# overlap_days
| overlap_days(d, e, DATE '2020-02-01', DATE '2020-03-01') | 2020-01-15; 2020-02-03 | 2 |
| overlap_days(d, e, DATE '2020-02-01', DATE '2020-03-01') | 2020-01-01; 2020-12-31 | 29 |
| overlap_days(d, e, DATE '2020-02-01', DATE '2020-03-01') | 2020-02-10; 2020-02-10 | 0 |
| overlap_days(d, e, DATE '2020-02-01', DATE '2020-03-01') | 2020-01-01; 2020-02-01 | 0 |
| overlap_days(d, e, DATE '2020-02-01', DATE '2020-03-01') | 2020-02-20; 2020-02-10 | 0 |
| overlap_days(d, e, DATE '2020-02-01', DATE '2020-03-01') | 2020-02-10; |  |
| overlap_days(d, e, DATE '2020-02-01', DATE '2020-03-01') | ; |  |
| overlap_days(a, b, d, e) | 2020-01-01T23:59:59; 2020-01-03T00:00:01; 2020-01-01; 2020-01-31 | 2 |
| overlap_days(d, e, d, e) | 0001-01-01; 9999-12-31 | 3652058 |
# starts_with
| starts_with(s, 'E11') | 'E112' | true |
| starts_with(s, 'E11') | 'E1' | false |
| starts_with(s, 'E11') | 'e112' | false |
| starts_with(s, '') | '' | true |
| starts_with(s, 'é') | 'été' | true |
| starts_with(s, '%') | 'a' | false |
| starts_with(s, 'E11') |  |  |
# ends_with
| ends_with(s, 'X') | 'E11X' | true |
| ends_with(s, 'X') | 'E11x' | false |
| ends_with(s, '') | '' | true |
| ends_with(s, 'é') | 'café' | true |
| ends_with(s, '11X') | '1X' | false |
| suffix(s, 'X') | 'X' | true |
| ends_with(s, 'X') |  |  |
# contains
| contains(s, '.') | 'E11.9' | true |
| contains(s, '.') | 'E119' | false |
| contains(s, '') | '' | true |
| contains(s, '%') | 'a' | false |
| contains(s, 'é') | 'été' | true |
| contains(s, 'ab') | 'b' | false |
| contains(s, '.') |  |  |
# like
| s LIKE 'E11%' | 'E112' | true |
| s LIKE 'E11%' | 'E11' | true |
| s LIKE 'E11%' | 'xE11' | false |
| s LIKE 'e11%' | 'E112' | false |
| s LIKE '%9' | 'E11.9' | true |
| s LIKE '%9' | 'E11.90' | false |
| s LIKE '%.%' | 'E11.9' | true |
| s LIKE '%.%' | '.' | true |
| s LIKE '%.%' | 'E119' | false |
| s LIKE 'E%9' | 'E9' | true |
| s LIKE 'E%E' | 'E' | false |
| s LIKE 'E1_' | 'E11' | true |
| s LIKE 'E1_' | 'E1' | false |
| s LIKE 'E1_' | 'E1é' | true |
| s LIKE '_' | '𝒳' | true |
| s LIKE '_' | 'e\u0301' | false |
| s LIKE '_%' | '' | false |
| s LIKE '%_1%' | '1' | false |
| s LIKE '%_1%' | '111' | true |
| s LIKE '%a_c%' | 'abaabc' | true |
| s LIKE '%' | '' | true |
| s LIKE '%%' | 'a' | true |
| s LIKE '' | '' | true |
| s LIKE '' | 'a' | false |
| s LIKE 'E11' | 'E11' | true |
| s LIKE 'a\%' | 'a\\b' | true |
| s LIKE 'a\%' | 'a%' | false |
| s LIKE 'a.c' | 'abc' | false |
| s LIKE '[ab]%' | 'a' | false |
| s LIKE 'E11%' |  |  |
# left
| left(s, 3) | 'E112' | 'E11' |
| left(s, 3) | 'E1' | 'E1' |
| left(s, 1) | '' | '' |
| left(s, 1) | 'été' | 'é' |
| left(s, 1) | '𝒳y' | '𝒳' |
| left(s, 1) |  |  |
| left(s, 1) | 'e\u0301' | 'e' |
# right
| right(s, 2) | 'E112' | '12' |
| right(s, 9) | 'E1' | 'E1' |
| right(s, 1) | '' | '' |
| right(s, 1) | 'été' | 'é' |
| right(s, 1) | 'y𝒳' | '𝒳' |
| right(s, 1) | 'e\u0301' | '\u0301' |
| right(s, 1) |  |  |
# substr
| substr(s, 1, 3) | 'E112' | 'E11' |
| substr(s, 2, 2) | 'E112' | '11' |
| substr(s, 4, 9) | 'E112' | '2' |
| substr(s, 9, 2) | 'E112' | '' |
| substr(s, 1, 0) | 'E112' | '' |
| substring(s, 2, 1) | 'été' | 't' |
| substr(s, 2, 1) | 'a𝒳b' | '𝒳' |
| substr(s, 1, 3) | '' | '' |
| substr(s, 1, 3) |  |  |
# lower
| lower(s) | 'AbZ-1' | 'abz-1' |
| lower(s) | 'ÉSS İ' | 'Éss İ' |
| lower(s) | '' | '' |
| lower(s) |  |  |
# upper
| upper(s) | 'aBz-1' | 'ABZ-1' |
| upper(s) | 'éß ı' | 'éß ı' |
| upper(s) | '' | '' |
| upper(s) |  |  |
# trim
| trim(s) | '  a b ' | 'a b' |
| trim(s) | '   ' | '' |
| trim(s) | '\ta\n' | '\ta\n' |
| trim(s) | '\u00a0a' | '\u00a0a' |
| trim(s) | '' | '' |
| trim(s) |  |  |
# length
| length(s) | 'E112' | 4 |
| length(s) | '' | 0 |
| length(s) | 'é𝒳' | 2 |
| length(s) | 'e\u0301' | 2 |
| len(s) | ' a ' | 3 |
| length(s) |  |  |
# concat
| s || t | 'a'; 'b' | 'ab' |
| s || t | 'a'; |  |
| s || t | ''; '' | '' |
| s || '-' || t | 'é'; '𝒳' | 'é-𝒳' |
| concat(s, t, 'c') | 'a'; 'b' | 'abc' |
| concat(s, t) | ; 'b' |  |
"""


def _read(text: str) -> dict[str, tuple[Vector, ...]]:
    found: dict[str, list[Vector]] = {}
    name = ""
    for line in text.strip("\n").split("\n"):
        if line.startswith("# "):
            name = line.removeprefix("# ")
        else:
            # A bar beside another is the operator, not the edge of a cell.
            cells = [cell.strip(" ") for cell in re.split(r"(?<!\|)\|(?!\|)", line)]
            found.setdefault(name, []).append(Vector(*cells[1:4]))
    return {function: tuple(vectors) for function, vectors in found.items()}


VECTORS = _read(_TABLES)
"""Function to its vectors."""
