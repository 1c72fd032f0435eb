-- People behind the records, and those with more than one.
SELECT count(*), count(*) FILTER (records > 1)
FROM (SELECT g, count(*) AS records FROM record GROUP BY g);
