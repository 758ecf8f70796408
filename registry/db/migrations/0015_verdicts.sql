-- The scanner's signed verdict: the exact bytes of its envelope. Null for what was scanned before verdicts were signed.
alter table releases add column verdict bytea;
