-- What runs where, as runtimes last said it.
create table fleet (
  reported_by text not null references people,
  runtime text not null,
  id text not null,
  host text not null,
  server text not null,
  version text not null,
  closure_digest text not null,
  state text not null,
  since timestamptz not null,
  lock text not null,
  lock_version integer not null,
  project text not null,
  person text not null,
  driver text not null,
  seen_at timestamptz not null default now(),
  primary key (reported_by, runtime, id)
);
create index fleet_by_server on fleet (server);
create index fleet_by_time on fleet (seen_at);
