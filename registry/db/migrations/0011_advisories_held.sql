-- Known malware that a person was asked about: what the registry may revoke by itself in a day was used up.
alter table release_advisories add column held_at timestamptz;
