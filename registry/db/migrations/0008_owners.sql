-- Who answers for a server, and which package its name stands for.
create table servers (
  name text primary key,
  owner text not null check (owner ~ '^[a-z0-9][a-z0-9._@-]{0,63}$'),
  team text check (char_length(team) between 1 and 64),
  package text not null check (package ~ '^[a-z]+:'),
  since timestamptz not null default now()
);
comment on column servers.owner is 'Whoever is not among the people any more leaves the server without an owner.';
comment on column servers.package is 'Kind and name, without a version: releases come from here and from nowhere else.';

-- Servers from before: the first person who asked, and the package approved last.
insert into servers (name, owner, package)
select distinct on (r.name) r.name, r.requested_by,
  coalesce(
    (select substring(a.source from '^(.+)@[^@]+$') from releases a
     where a.name = r.name and a.state in ('approved', 'deprecated') order by a.id desc limit 1),
    substring(r.source from '^(.+)@[^@]+$'))
from releases r order by r.name, (r.requested_by = 'lockkeeper'), r.id;

alter table releases add column former_package text;
alter table releases add column lapsed_at timestamptz;
alter table releases add column review_told timestamptz;
comment on column releases.former_package is 'The package that this server came from before, when this release comes from another one.';
comment on column releases.lapsed_at is 'When its approvals stopped sufficing, the last time that they did.';
comment on column releases.review_told is 'The end that the event of a re-review was recorded for.';

-- What a release looked like when it was scanned again before a re-review. The release itself stays what was approved.
create table rescans (
  id bigint generated always as identity primary key,
  release_id bigint not null references releases,
  report_digest text not null check (report_digest ~ '^sha256:[0-9a-f]{64}$'),
  closure_digest text not null check (closure_digest ~ '^sha256:[0-9a-f]{64}$'),
  surface_digest text not null check (surface_digest ~ '^sha256:[0-9a-f]{64}$'),
  maintainers text[],
  newer text[],
  scanned_at timestamptz not null default now()
);
create index rescans_by_release on rescans (release_id, id desc);
comment on column rescans.newer is 'Versions above this one that the package registry had; null when it did not answer.';
create trigger append_only before update or delete or truncate on rescans for each statement execute function refuse_change();
