-- Instances that this runtime keeps beside those it listed; the same in each of its rows.
alter table fleet add column unlisted integer not null default 0;
