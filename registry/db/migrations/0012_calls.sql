-- Calls that wait for people. What was signed is kept in approval_envelopes; these rows go a day after they were decided.
create table calls (
  id text primary key check (id ~ '^[0-9a-f]{32}$'),
  facts jsonb not null,
  arguments bytea,
  runtime text not null,
  people smallint not null check (people in (1, 2)),
  state text not null default 'waiting'
    check (state in ('waiting', 'approved', 'used', 'rejected', 'expired', 'withdrawn')),
  asked_by text not null references people,
  asked_at timestamptz not null default now(),
  expires_at timestamptz not null check (expires_at <= asked_at + interval '15 minutes'),
  changed_at timestamptz not null default now(),
  rejected_by text references people,
  reason text,
  check ((state in ('waiting', 'approved')) = (arguments is not null)),
  check ((state = 'rejected') = (rejected_by is not null and reason is not null))
);
comment on column calls.arguments is 'Only as long as somebody may have to read them.';
create index calls_open on calls (expires_at) where state in ('waiting', 'approved');
create index calls_by_asker on calls (asked_by, asked_at);

create table call_approvals (
  call text not null references calls on delete cascade,
  person text not null references people,
  digest text not null unique references approval_envelopes,
  given_at timestamptz not null default now(),
  primary key (call, person)
);
