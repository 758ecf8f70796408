-- A package may be known to feeds under two names: its own and its source's.
alter table release_packages drop constraint release_packages_pkey, add primary key (release_id, purl, name);
