/** What lk audit shows of records: calls with their ends, refusals, and of servers only what went wrong. */
import { expect, it } from 'vitest';
import { type Context, instant } from '../../cli/command.ts';
import { approvals, audit, auditTable } from '../../cli/commands/audit.ts';
import { type AuditBody, type AuditRecord, link } from '../../schemas/audit.ts';
import { bodyOf } from '../helpers/journals.ts';

const digest = `sha256:${'0'.repeat(64)}` as const;
const BASE = { lock: digest, closure: digest, surface: digest, approvedBy: [] };
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

it('says why something was refused, by which line of the policy a call was let pass, and each of them once', () => {
  const decision = { policy: digest, rule: 'line 5: interns: no write tools' };
  const why = (...records: AuditRecord[]): string | undefined =>
    auditTable(records, false).split('\n')[1]?.split(/ {2,}/)[8];
  const refused = { kind: 'request.refused', outcome: 'refused', code: 'POLICY_REFUSED' } as const;
  const message = 'expected what it permits; found "edit", refused by "line 5: interns: no write tools".';
  expect(why(record({ ...refused, message, decision }))).toBe(message);
  expect(why(record({ ...refused, message }))).toBe(message);
  const call = record({ kind: 'request.forwarded', call: 'c', decision });
  const end = record({ kind: 'request.finished', call: 'c', outcome: 'error', message: 'It took too long.' });
  expect(why(call)).toBe(decision.rule);
  expect(why(call, end)).toBe(`It took too long. (${decision.rule})`);
  expect(why(record({ kind: 'request.forwarded', call: 'c' }))).toBeUndefined();
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

it('names the alias of a server where its name does not say it', () => {
  const { subject } = bodyOf(1);
  const shown = (alias: string): string | undefined => {
    const of = { ...(subject ?? BASE), alias, server: 'npm.acme/mcp-server-notes', version: '1.0.0' };
    return cells(auditTable([record({ subject: of })], false))[1]?.find((cell) => cell.includes('notes'));
  };
  expect([shown('notes'), shown('work')]).toEqual([
    'npm.acme/mcp-server-notes@1.0.0',
    'work: npm.acme/mcp-server-notes@1.0.0',
  ]);
});

it('names once who approved each release of the records', () => {
  const of = (version: string, approvedBy: string[]): AuditRecord => {
    const digest = `sha256:${'0'.repeat(64)}` as const;
    const [lock, closure, surface] = [digest, digest, digest];
    return record({ subject: { server: 'npm.acme/notes', version, lock, closure, surface, approvedBy } });
  };
  const records = [
    of('2.0.0', ['bob', 'alice']),
    of('1.0.0', ['alice', 'carol']),
    of('2.0.0', ['alice', 'bob']),
  ];
  expect(cells(approvals(records).trim())).toEqual([
    ['RELEASE', 'APPROVED BY'],
    ['npm.acme/notes@1.0.0', 'alice, carol'],
    ['npm.acme/notes@2.0.0', 'alice, bob'],
  ]);
});

it('says nothing of approvals where no record is of a server', () => {
  expect(approvals([record({})])).toBe('');
});

it.each([
  ['2026-11-24', '2026-11-24T00:00:00.000Z'],
  ['2026-11-24T09:30', '2026-11-24T09:30:00.000Z'],
  ['2026-11-24 09:30:15', '2026-11-24T09:30:15.000Z'],
  ['2026-11-24T09:30:15.250Z', '2026-11-24T09:30:15.250Z'],
])('reads %s as an instant', (given, at) => {
  expect(instant({ since: given }, 'since')).toBe(at);
});

it.each(['yesterday', '', '2026-11-31', '2026-11-24T25:00', '2026-11-24T09:30+02:00', '24.11.2026'])(
  'refuses %j, with a day that would do',
  (given) => {
    expect(() => instant({ since: given }, 'since')).toThrow(/--since: a day such as 2026-11-01/);
  },
);

it.each([
  [{ kind: 'egres.refused' }, 'found "egres.refused". Did you mean egress.refused?'],
  [{ kind: 'nonsense' }, '--kind: one of session.started, '],
  [{ limit: '0' }, '--limit: a number from 1 to 9999'],
  [{ until: 'now' }, '--until: a day such as'],
])('refuses %j before anybody is asked', async (values, words) => {
  const nobody = new Proxy({}, { get: (_, name) => expect.fail(`asked for ${String(name)}`) }) as Context;
  await expect(audit.run(nobody, [], values)).rejects.toThrow(words);
});
