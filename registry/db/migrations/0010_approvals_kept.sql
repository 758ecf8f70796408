-- What was signed stays, also where a newer approval took its place: evidence of a period needs what counted then.
create table approval_envelopes (
  digest text primary key check (digest ~ '^sha256:[0-9a-f]{64}$'),
  envelope bytea not null,
  given_at timestamptz not null default now()
);
insert into approval_envelopes (digest, envelope, given_at) select digest, envelope, given_at from approvals;
create trigger append_only before update or delete or truncate on approval_envelopes for each statement execute function refuse_change();

-- The log by time.
create index on log_entries (logged_at);
