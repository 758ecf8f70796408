-- What was signed of the release, as its report tells it; null where nothing is known.
alter table releases add column provenance jsonb;
