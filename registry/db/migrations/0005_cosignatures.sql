-- What witnesses signed below a checkpoint: verified before it is stored, never changed.
create table log_cosignatures (
  size bigint not null check (size > 0),
  witness text not null,
  line text not null,
  cosigned_at timestamptz not null default now(),
  primary key (size, witness)
);
create index on log_cosignatures (witness, size);
comment on column log_cosignatures.witness is 'Name and key hash, joined by +: another key under the same name is another witness.';

create trigger append_only before update or delete or truncate on log_cosignatures for each statement execute function refuse_change();
