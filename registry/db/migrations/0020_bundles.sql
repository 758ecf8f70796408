-- Bundles that people handed in, and uploads under way. What no release names is swept after a time.
create table bundles (
  digest text primary key check (digest ~ '^sha256:[0-9a-f]{64}$'),
  size bigint not null check (size > 0),
  person text not null,
  touched_at timestamptz not null default now()
);
comment on column bundles.touched_at is 'When it was handed in or submitted last.';

create table bundle_uploads (
  id uuid primary key,
  person text not null,
  bytes bigint not null check (bytes > 0),
  expires_at timestamptz not null
);
comment on table bundle_uploads is 'Room that is taken before the first byte comes; that of a process that died ends by itself.';

create index releases_by_bundle on releases (right(source, 71)) where source like 'mcpb:%';
