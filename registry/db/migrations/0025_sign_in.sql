-- Whom an identity provider vouches for: its issuer and its subject are who somebody is. The name here is a label.
create table identities (
  issuer text not null check (length(issuer) between 1 and 500),
  subject text not null check (length(subject) between 1 and 255),
  person text not null references people,
  linked_by text not null,
  linked_at timestamptz not null default now(),
  seen_at timestamptz,
  primary key (issuer, subject)
);
create index identities_by_person on identities (person);
comment on table identities is 'Never changes hands: one account as two people would be two approvals.';
create trigger never_changes_hands before update of issuer, subject, person or delete or truncate on identities
  for each statement execute function refuse_change();

-- Sign-ins that began and did not end. What the provider sends back counts for the one that it was asked in.
create table sign_ins_begun (
  id_hash bytea primary key check (octet_length(id_hash) = 32),
  nonce text,
  redirect text,
  device_code text,
  interval_seconds integer not null default 1,
  polled_at timestamptz not null default now(),
  expires_at timestamptz not null,
  check ((nonce is null) = (redirect is null)),
  check ((nonce is null) <> (device_code is null))
);
create index sign_ins_begun_by_end on sign_ins_begun (expires_at);
