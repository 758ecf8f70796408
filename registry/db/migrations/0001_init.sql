-- People, keys and how they get in.
create table people (
  person text primary key check (person ~ '^[a-z0-9][a-z0-9._@-]{0,63}$'),
  roles text[] not null check (cardinality(roles) > 0),
  created_at timestamptz not null default now()
);
comment on table people is 'The unit that thresholds count. lockkeeper is reserved for what the schedule submits.';

create table sign_in_codes (
  code_hash bytea primary key check (octet_length(code_hash) = 32),
  person text not null references people,
  expires_at timestamptz not null,
  used_at timestamptz
);

create table tokens (
  token_hash bytea primary key check (octet_length(token_hash) = 32),
  person text not null references people,
  roles text[] not null check (cardinality(roles) > 0),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);

create table reviewer_keys (
  keyid text primary key check (keyid ~ '^sha256:[0-9a-f]{64}$'),
  person text not null references people,
  public_key text not null,
  enrolled_at timestamptz not null default now(),
  replaced_at timestamptz
);
create unique index one_key_a_person on reviewer_keys (person) where replaced_at is null;

create table roots (
  version integer primary key check (version > 0),
  envelope bytea not null,
  issued_at timestamptz not null default now()
);
comment on column roots.envelope is 'The signed bytes as they were made; never derived from columns.';

-- Releases, their scans and approvals.
create table releases (
  id bigint generated always as identity primary key,
  name text not null,
  version text not null,
  purl text not null,
  source text not null,
  description text not null,
  state text not null default 'submitted'
    check (state in ('submitted', 'scanning', 'in_review', 'approved', 'rejected', 'deprecated', 'revoked')),
  reason text,
  requested_by text not null,
  submission jsonb not null,
  launch jsonb,
  closure jsonb,
  closure_digest text check (closure_digest ~ '^sha256:[0-9a-f]{64}$'),
  surface_digest text check (surface_digest ~ '^sha256:[0-9a-f]{64}$'),
  surface_text text check (surface_text ~ '^sha256:[0-9a-f]{64}$'),
  report_digest text check (report_digest ~ '^sha256:[0-9a-f]{64}$'),
  maintainers text[],
  submitted_at timestamptz not null default now(),
  changed_at timestamptz not null default now(),
  check ((state in ('rejected', 'revoked')) <= (reason is not null)),
  check ((state in ('in_review', 'approved', 'deprecated', 'revoked')) <= (report_digest is not null))
);
create unique index one_live_release on releases (name, version) where state <> 'rejected';
create index releases_by_state on releases (state, id desc);
create index releases_by_name on releases (name, id desc);

create table approvals (
  digest text primary key check (digest ~ '^sha256:[0-9a-f]{64}$'),
  release_id bigint not null references releases,
  person text not null references people,
  envelope bytea not null,
  expires_at timestamptz not null,
  given_at timestamptz not null default now(),
  unique (release_id, person)
);

create table release_blobs (
  digest text not null check (digest ~ '^sha256:[0-9a-f]{64}$'),
  release_id bigint not null references releases,
  primary key (digest, release_id)
);
comment on table release_blobs is 'Which blobs may be handed out: only those that a release names.';

create table locks (
  audience text not null,
  version integer not null check (version > 0),
  digest text not null,
  file bytea not null,
  issued_at timestamptz not null default now(),
  primary key (audience, version)
);

-- What happened: in the runtimes, and here.
create table audit_records (
  runtime text not null,
  seq bigint not null check (seq > 0),
  at timestamptz not null,
  kind text not null,
  person text not null,
  server text,
  target text,
  digest text not null,
  record bytea not null,
  received_at timestamptz not null default now(),
  primary key (runtime, seq)
);
create index audit_by_time on audit_records (at desc);
create index audit_by_server on audit_records (server, at desc);

create table events (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  person text not null,
  action text not null,
  subject text not null,
  detail jsonb not null default '{}'
);

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
end $$;
create trigger append_only before update or delete or truncate on audit_records for each statement execute function refuse_change();
create trigger append_only before update or delete or truncate on events for each statement execute function refuse_change();
create trigger append_only before update or delete or truncate on locks for each statement execute function refuse_change();
create trigger append_only before update or delete or truncate on roots for each statement execute function refuse_change();

create table schedule_runs (
  schedule text not null,
  fires_at timestamptz not null,
  taken_by text not null,
  primary key (schedule, fires_at)
);

create table settings (
  name text primary key,
  value jsonb not null
);
