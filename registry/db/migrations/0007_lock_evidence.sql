-- What of the log each signed lock was handed out with: the checkpoint's size, so that the next one can show its growth.
create table lock_evidence (
  audience text not null,
  version integer not null,
  size bigint not null check (size > 0),
  evidence bytea not null,
  made_at timestamptz not null default now(),
  primary key (audience, version)
);

create trigger append_only before update or delete or truncate on lock_evidence for each statement execute function refuse_change();

-- Where the log holds an entry, found by its leaf.
create index log_leaves on log_nodes (hash) where level = 0;
