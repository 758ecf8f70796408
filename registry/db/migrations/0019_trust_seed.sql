-- The root that the last reading began with: going back to an earlier one is told like going on to a new one.
alter table trust_repository add column seed text;
update trust_repository set seed = (select min(seed) from trust_metadata having count(distinct seed) = 1);
