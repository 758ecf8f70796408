-- The transparency log: RFC 6962 leaves and complete subtrees, which never change, and the checkpoints signed over them.
create table log_entries (
  index bigint primary key check (index >= 0),
  entry bytea not null,
  logged_at timestamptz not null default now()
);

create table log_nodes (
  level smallint not null check (level >= 0),
  index bigint not null check (index >= 0),
  hash bytea not null check (octet_length(hash) = 32),
  primary key (level, index)
);
comment on table log_nodes is 'Complete subtrees alone: 2^level leaves. Level 0 is the leaves themselves.';

create table log_checkpoints (
  size bigint primary key check (size > 0),
  root bytea not null check (octet_length(root) = 32),
  note text not null,
  signed_at timestamptz not null default now()
);

create trigger append_only before update or delete or truncate on log_entries for each statement execute function refuse_change();
create trigger append_only before update or delete or truncate on log_nodes for each statement execute function refuse_change();
create trigger append_only before update or delete or truncate on log_checkpoints for each statement execute function refuse_change();
