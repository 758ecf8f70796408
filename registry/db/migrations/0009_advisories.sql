-- What is publicly known against packages. The record is kept as it came; the columns beside it are for looking it up.
create table advisories (
  id text primary key,
  modified timestamptz not null,
  kind text not null check (kind in ('malware', 'vulnerability')),
  summary text not null,
  severity text check (severity in ('critical', 'high', 'medium', 'low', 'info')),
  withdrawn boolean not null,
  record bytea not null,
  digest text not null check (digest ~ '^sha256:[0-9a-f]{64}$'),
  stored_at timestamptz not null default now()
);
create index advisories_by_time on advisories (modified desc);

create table advisory_affects (
  advisory text not null references advisories on delete cascade,
  ecosystem text not null,
  name text not null,
  versions text[] not null,
  ranges jsonb not null
);
create index advisory_affects_by_name on advisory_affects (ecosystem, name);
create index advisory_affects_by_advisory on advisory_affects (advisory);
comment on table advisory_affects is 'Withdrawn advisories have no rows here.';

-- Up to where each ecosystem of the feed was read, and what of it could not be.
create table advisory_feeds (
  ecosystem text primary key,
  newest timestamptz not null,
  read_at timestamptz not null default now()
);
create table advisory_skips (
  ecosystem text not null,
  id text not null,
  modified timestamptz not null,
  reason text not null,
  primary key (ecosystem, id)
);

-- The packages of each scanned release, by name: what a changed advisory is looked up in.
create table release_packages (
  release_id bigint not null references releases,
  ecosystem text not null,
  name text not null,
  version text not null,
  purl text not null,
  primary key (release_id, purl)
);
create index release_packages_by_name on release_packages (ecosystem, name);

create function packages_of(closure jsonb)
returns table (ecosystem text, name text, version text, purl text) language sql immutable as $$
  select distinct case m[1] when 'pypi' then 'PyPI' else m[1] end,
    replace(m[2], '%40', '@'), replace(m[3], '%2B', '+'), a ->> 'purl'
  from jsonb_array_elements(closure -> 'artifacts') a,
    regexp_match(a ->> 'purl', '^pkg:([a-z]+)/(.+)@([^@]+)$') m
  where m is not null
$$;
insert into release_packages (release_id, ecosystem, name, version, purl)
  select r.id, p.ecosystem, p.name, p.version, p.purl from releases r, packages_of(r.closure) p where r.closure is not null;

-- Which advisory affects which release, through which packages; gone_at once it does no longer.
create table release_advisories (
  release_id bigint not null references releases,
  advisory text not null references advisories,
  purls text[] not null check (cardinality(purls) > 0),
  found_at timestamptz not null default now(),
  gone_at timestamptz,
  primary key (release_id, advisory)
);
create index release_advisories_by_advisory on release_advisories (advisory);
