-- Once per database: the macros all steps share, and the lists drawn from. Randomness is a hash of (seed, stream, row),
-- never a generator with state, so a value does not depend on the order in which rows are made or on threads.

-- A uniform number in [0, 1). stream: one small whole number per quantity drawn; key: a number unique to the row.
CREATE MACRO u(stream, key) AS
    (hash(xor(key::UBIGINT * 4096 + stream, getvariable('mix'))) >> 11)::DOUBLE / 9007199254740992;

-- A waiting time with mean 1, and a symmetric bell-shaped number (logistic, standard deviation 1.8).
CREATE MACRO wait(stream, key) AS -ln(1 - u(stream, key));
CREATE MACRO bell(stream, key) AS ln((u(stream, key) + 1e-9) / (1 - u(stream, key) + 1e-9));

-- An entry of a list, all equally likely; repeat an entry to make it more so.
CREATE MACRO pick(items, x) AS items[1 + (x * len(items))::INTEGER % len(items)];

-- Value at x of a curve through evenly spaced points (an inverse distribution function as a rule).
CREATE MACRO curve(points, x) AS
    points[1 + floor(x * (len(points) - 1))::INTEGER]
    + (points[2 + floor(x * (len(points) - 1))::INTEGER] - points[1 + floor(x * (len(points) - 1))::INTEGER])
    * (x * (len(points) - 1) - floor(x * (len(points) - 1)));

CREATE MACRO years_between(a, b) AS floor((b - a) / 365.2425)::BIGINT;

-- More in January, fewer in July, by the stretch of about nine days either way.
CREATE MACRO winter(day) AS day - (9 * sin((dayofyear(day) - 10) * 0.0172024))::INTEGER;

CREATE MACRO chapter_of(code) AS
    CASE
        WHEN code < 'C' THEN 'I' WHEN code < 'D5' THEN 'II' WHEN code < 'E' THEN 'III' WHEN code < 'F' THEN 'IV'
        WHEN code < 'G' THEN 'V' WHEN code < 'H' THEN 'VI' WHEN code < 'H6' THEN 'VII' WHEN code < 'I' THEN 'VIII'
        WHEN code < 'J' THEN 'IX' WHEN code < 'K' THEN 'X' WHEN code < 'L' THEN 'XI' WHEN code < 'M' THEN 'XII'
        WHEN code < 'N' THEN 'XIII' WHEN code < 'O' THEN 'XIV' WHEN code < 'P' THEN 'XV' WHEN code < 'Q' THEN 'XVI'
        WHEN code < 'R' THEN 'XVII' WHEN code < 'S' THEN 'XVIII' WHEN code < 'U' THEN 'XIX' WHEN code < 'V' THEN 'XXII'
        WHEN code < 'Z' THEN 'XX' ELSE 'XXI'
    END;

-- case_type with what follows from its codes; and 1,000 equally likely slots for each class, age group and sex, so that
-- drawing a case is one look-up: slot = ((class * 3 + age group) * 2 + sex) * 1000 + 0..999.
CREATE TABLE case_info AS
SELECT
    id, treatment_function, icd10, left(icd10, 3) AS icd10_3, chapter_of(icd10) AS icd10_chapter,
    opcs4, left(opcs4, 3) AS opcs4_3, left(opcs4, 1) AS opcs4_chapter, day_case, mean_stay
FROM case_type;

CREATE TABLE slot AS
WITH weight AS (
    SELECT
        ((instr('EPMNR', class) - 1) * 3 + age_group) * 2 + sex_no AS block, id,
        [child, adult, older][1 + age_group] AS w
    FROM case_type, range(3) AS a(age_group), range(2) AS s(sex_no)
    WHERE sex IS NULL OR sex = (sex_no + 1)::VARCHAR
),
edge AS (
    SELECT *, sum(w) OVER (PARTITION BY block ORDER BY id) AS upper_end, sum(w) OVER (PARTITION BY block) AS total
    FROM weight
)
SELECT number, coalesce(id, 1) AS id
FROM range(30 * 1000) AS n(number)
LEFT JOIN edge ON block = number // 1000 AND w > 0
    AND (number % 1000 + 0.5) / 1000 * total < upper_end AND (number % 1000 + 0.5) / 1000 * total >= upper_end - w;

-- Long-term conditions, one bit each, with the code that coders add to a spell. mask_code lists, for each combination of
-- them, the codes in order.
CREATE TABLE condition_type AS
SELECT bit::INTEGER AS bit, icd10, left(icd10, 3) AS icd10_3, chapter_of(icd10) AS icd10_chapter
FROM (
    VALUES
    (0, 'E119'), (1, 'I10'), (2, 'I259'), (3, 'J449'), (4, 'J459'),
    (5, 'N189'), (6, 'I509'), (7, 'I489'), (8, 'F03'), (9, 'F329')
) AS c (bit, icd10);

CREATE TABLE mask_code AS
SELECT
    mask,
    coalesce(
        list({'icd10': icd10, 'icd10_3': icd10_3, 'icd10_chapter': icd10_chapter} ORDER BY bit) FILTER (bit IS NOT NULL), []
    ) AS codes
FROM range(1024) AS m(mask)
LEFT JOIN condition_type AS c ON (mask >> bit) & 1 = 1
GROUP BY mask;

-- Ten boards, one for each trust in turn, with the region each lies in.
CREATE TABLE board AS
SELECT number, icb, region
FROM (
    VALUES
    (0, 'QMJ', 'Y56'), (1, 'QOP', 'Y62'), (2, 'QHL', 'Y60'), (3, 'QWO', 'Y63'), (4, 'QUE', 'Y61'),
    (5, 'QRL', 'Y59'), (6, 'QJK', 'Y58'), (7, 'QYG', 'Y62'), (8, 'QKS', 'Y59'), (9, 'QT1', 'Y60')
) AS b (number, icb, region);

-- Hour of arrival at an emergency department: few at night, most from ten to eight.
CREATE MACRO hour_of_arrival(x) AS pick(
    [
        0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 7, 8, 8, 8, 9, 9, 9, 9, 10, 10, 10, 10, 10, 11, 11, 11, 11, 11, 12, 12, 12, 12, 12,
        13, 13, 13, 13, 13, 14, 14, 14, 14, 14, 15, 15, 15, 15, 15, 16, 16, 16, 16, 16, 17, 17, 17, 17, 17, 18, 18, 18, 18, 18,
        19, 19, 19, 19, 19, 20, 20, 20, 20, 21, 21, 21, 21, 22, 22, 22, 23, 23
    ], x
);

-- A day and a minute of it as a timestamp; minutes may run past either end of the day.
CREATE MACRO at_minute(day, minute) AS make_timestamp(((day - DATE '1970-01-01') * 1440 + minute::BIGINT) * 60000000);

-- Medicines: bit is the long-term condition that calls for one, NULL for those that anybody may need.
CREATE TABLE medicine AS
SELECT *
FROM (
    VALUES
    (0, 'metformin', '0601', 28), (0, 'gliclazide', '0601', 28), (0, 'insulin glargine', '0601', 28),
    (1, 'amlodipine', '0206', 28), (1, 'ramipril', '0205', 28), (1, 'losartan', '0205', 28), (1, 'indapamide', '0202', 28),
    (2, 'atorvastatin', '0212', 28), (2, 'aspirin', '0209', 28), (2, 'bisoprolol', '0204', 28),
    (3, 'tiotropium', '0301', 30), (3, 'prednisolone', '0603', 7), (4, 'salbutamol', '0301', 30),
    (4, 'beclometasone', '0302', 30), (6, 'furosemide', '0202', 28), (6, 'bisoprolol', '0204', 28), (7, 'apixaban', '0208', 28),
    (8, 'risperidone', '0402', 14), (9, 'sertraline', '0403', 28), (9, 'citalopram', '0403', 28),
    (NULL, 'paracetamol', '0407', 7), (NULL, 'codeine', '0407', 5), (NULL, 'morphine', '0407', 3), (NULL, 'ibuprofen', '1001', 7),
    (NULL, 'amoxicillin', '0501', 7), (NULL, 'co-amoxiclav', '0501', 7), (NULL, 'flucloxacillin', '0501', 7),
    (NULL, 'doxycycline', '0501', 7), (NULL, 'omeprazole', '0103', 28), (NULL, 'lansoprazole', '0103', 28),
    (NULL, 'enoxaparin', '0208', 5), (NULL, 'levothyroxine', '0602', 28), (NULL, 'zopiclone', '0401', 7), (NULL, 'gabapentin', '0408', 28)
) AS m (bit, name, section, days);

-- Vaccination programmes: the campaign's first day, dose, ages invited and share taking it up at best.
CREATE TABLE programme AS
SELECT *
FROM (
    VALUES
    (0, 'influenza', DATE '2020-09-20', 1, 65, 120, 0.80), (1, 'influenza', DATE '2021-09-20', 1, 65, 120, 0.82),
    (2, 'influenza', DATE '2022-09-20', 1, 65, 120, 0.79), (3, 'influenza', DATE '2023-09-20', 1, 65, 120, 0.77),
    (4, 'influenza', DATE '2024-10-01', 1, 65, 120, 0.74), (5, 'covid-19', DATE '2021-01-10', 1, 18, 120, 0.92),
    (6, 'covid-19', DATE '2021-04-10', 2, 18, 120, 0.89), (7, 'covid-19', DATE '2021-10-01', 3, 18, 120, 0.72),
    (8, 'covid-19', DATE '2022-09-05', 4, 50, 120, 0.66), (9, 'covid-19', DATE '2023-09-11', 5, 65, 120, 0.68),
    (10, 'pneumococcal', DATE '2022-02-01', 1, 65, 120, 0.30), (11, 'shingles', DATE '2023-09-01', 1, 65, 79, 0.35),
    (12, 'rsv', DATE '2024-09-01', 1, 75, 79, 0.55), (13, 'mmr', DATE '2021-06-01', 1, 1, 3, 0.90),
    (14, 'mmr', DATE '2023-06-01', 2, 3, 5, 0.86), (15, 'hpv', DATE '2023-03-01', 1, 12, 13, 0.70)
) AS p (number, vaccine, opens, dose, youngest, oldest, uptake);
