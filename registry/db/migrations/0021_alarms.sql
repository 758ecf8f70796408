-- What an approved release is judged otherwise for today than when it was approved. Reviewers answer: they revoke it, or
-- accept the check by name in an approval that is newer than `since`.
create table alarms (
  release_id bigint not null references releases,
  check_id text not null,
  title text not null,
  before text check (before in ('ok', 'fired', 'unknown')),
  after text not null check (after in ('fired', 'unknown')),
  gates boolean not null,
  said text not null check (said ~ '^sha256:[0-9a-f]{64}$'),
  message text not null,
  because text[] not null check (cardinality(because) > 0),
  since timestamptz not null default now(),
  primary key (release_id, check_id)
);
comment on column alarms.said is 'Digest of outcome and findings: while it stays the same, so do since and because.';
