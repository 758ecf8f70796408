-- What the schedule last saw of where approved releases come from: `versions` of the newest of a server, and what the `name`
-- of each means now. A question that fails leaves what is known as it is, beside its reason.
create table upstream_looks (
  release_id bigint not null references releases,
  what text not null check (what in ('versions', 'name')),
  state text check (state in ('same', 'moved', 'gone')),
  found text,
  since timestamptz,
  kept text,
  problem text,
  problem_since timestamptz,
  asked_at timestamptz not null default now(),
  primary key (release_id, what),
  check ((state is null) = (since is null)),
  check ((problem is null) = (problem_since is null))
);
comment on column upstream_looks.kept is 'What to ask with the next time, such as the name of a tag or an ETag.';
