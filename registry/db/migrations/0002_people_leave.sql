alter table people add column left_at timestamptz;
comment on column people.left_at is 'Whoever left cannot sign in, approve or be counted; what they did stays theirs.';
