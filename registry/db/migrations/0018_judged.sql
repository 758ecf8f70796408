-- What the newest report of a release was judged by: a digest of rules and policy. Null: something it rests on changed since.
alter table releases add column judged_by text;
create index releases_by_judgement on releases (judged_by) where state in ('approved', 'in_review');

-- A report that was judged again from the evidence of another one; null for a scan. And the scanner's envelope on it.
alter table rescans add column judged_from text check (judged_from ~ '^sha256:[0-9a-f]{64}$');
alter table rescans add column verdict bytea;
