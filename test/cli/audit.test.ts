/** What lk audit shows of records: calls with their ends, refusals, and of servers only what went wrong. */
import { expect, it } from 'vitest';
import { auditTable } from '../../cli/commands/audit.ts';
import { type AuditBody, type AuditRecord, link } from '../../schemas/audit.ts';
import { bodyOf } from '../helpers/journals.ts';

const record = (more: Partial<AuditBody>): AuditRecord => link(1, null, { ...bodyOf(1), ...more });
const state = (from: string, to: string, outcome: 'ok' | 'error'): AuditRecord =>
  record({ kind: 'server.state', outcome, detail: { from, to, event: 'x' } });
const cells = (table: string): string[][] => table.split('\n').map((line) => line.split(/ {2,}/));

it('tells a call and its end as one row, what is long last', () => {
  const call = record({ kind: 'request.forwarded', call: 'c', target: 'read', arguments: { path: '/data' } });
  const end = record({ kind: 'request.finished', call: 'c', outcome: 'ok', durationMs: 12.4 });
  const [head, row, ...rest] = cells(auditTable([end, call], false));
  expect(head?.slice(0, 6)).toEqual(['WHEN (UTC)', 'USER', 'WHAT', 'TOOL', 'OUTCOME', 'SERVER']);
  expect(row?.slice(2, 5)).toEqual(['call', 'read', 'ok 12 ms']);
  expect(row?.[6]).toBe('{"path":"/data"}');
  expect(rest).toEqual([]);
});

it('shows how a server ended badly, and all of its life when asked', () => {
  const records = [state('READY', 'DEAD', 'error'), state('STARTING', 'READY', 'ok')];
  const told = (all: boolean): (string | undefined)[] =>
    cells(auditTable(records, all))
      .slice(1)
      .map((row) => row[3]);
  expect(told(false)).toEqual(['READY -> DEAD']);
  expect(told(true)).toEqual(['READY -> DEAD', 'STARTING -> READY']);
});
