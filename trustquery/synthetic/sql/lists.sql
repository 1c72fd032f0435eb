-- Once per connection: what the queries look up. Variables are folded to constants, which is far faster than joins.
SET VARIABLE mix = hash(getvariable('seed'), 'trustquery synthetic 1');
SET VARIABLE first_day = DATE '2020-01-01';
SET VARIABLE last_day = DATE '2024-12-31';
SET VARIABLE cases = (SELECT list(c ORDER BY id) FROM case_info AS c);
SET VARIABLE slots = (SELECT list(id ORDER BY number) FROM slot);
SET VARIABLE mask_codes = (SELECT list(codes ORDER BY mask) FROM mask_code);
SET VARIABLE boards = (SELECT list(b ORDER BY number) FROM board AS b);
SET VARIABLE chronic = (SELECT list(m ORDER BY bit, name) FROM medicine AS m WHERE bit IS NOT NULL);
SET VARIABLE common = (SELECT list(m ORDER BY name) FROM medicine AS m WHERE bit IS NULL);
