alter table audit_records add column shipped_by text;
comment on column audit_records.shipped_by is 'Whose token brought the record; null for records older than this column.';
