-- Why a release was withdrawn, in the words that were signed, in the order in which running sessions hear of it.
create table revocations (
  id bigint generated always as identity primary key,
  release_id bigint not null unique references releases,
  server text not null,
  digest text not null check (digest ~ '^sha256:[0-9a-f]{64}$'),
  statement bytea not null,
  envelope bytea,
  revoked_at timestamptz not null default now()
);
create index revocations_by_server on revocations (server, id);
comment on column revocations.statement is 'The statement as it was signed; as the registry wrote it when envelope is null.';
comment on column revocations.envelope is 'The signed bytes as they came; null when nobody signed.';
create trigger append_only before update or delete or truncate on revocations for each statement execute function refuse_change();
