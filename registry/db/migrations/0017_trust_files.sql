-- What the repository of trust files said when it was last asked: one row. `repository` is null where none is set.
create table trust_repository (
  one boolean primary key default true check (one),
  repository text,
  asked_at timestamptz not null default now(),
  read_at timestamptz,
  code text,
  problem text
);

-- Verified TUF metadata, by the digest of the root that the reading began with: what a later one may not be older than.
create table trust_metadata (
  seed text not null,
  file text not null,
  bytes bytea not null,
  primary key (seed, file)
);

-- The files it has now. None is used before root.json pins its digest.
create table trust_files (
  name text primary key,
  target text not null,
  digest text not null,
  since timestamptz not null default now()
);
