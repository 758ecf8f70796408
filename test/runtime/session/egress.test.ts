/** Connections and the calls that they were made for, with the real way out and a server that goes past it. */
import { chmodSync, copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { startInstance } from '../../../runtime/instance.ts';
import type { EgressEvent } from '../../../runtime/ports.ts';
import type { AuditBody } from '../../../schemas/audit.ts';
import { driver, openDir } from '../../helpers/sandbox.ts';
import { openSession, type Running, SCRIPTED, type SessionSetup } from '../../helpers/session.ts';
import { makeEntry } from '../../helpers/trust.ts';
import { until } from '../../helpers/wait.ts';

type Record = (event: EgressEvent) => Promise<void>;

/** A session whose server has the sandbox and the way out that every release has; `record` is what both tell. */
async function open(more: SessionSetup = {}): Promise<Running & { record: Record }> {
  let record: Record = async () => undefined;
  const running = await openSession({
    ...more,
    start: async (_, told) => {
      record = told;
      const appDir = join(openDir(), 'app');
      mkdirSync(appDir);
      chmodSync(appDir, 0o755);
      copyFileSync(SCRIPTED, join(appDir, 'server.mjs'));
      const command = ['node', '/app/server.mjs'];
      const launch = { transport: 'stdio' as const, command, projectArgs: false };
      const permissions = { egress: ['api.example.com:443'], env: [], mounts: [] };
      const { limits } = makeEntry().permissions;
      const entry = {
        ...makeEntry(),
        launch,
        permissions: { ...permissions, limits },
        request: { server: 'acme.tools/weather', range: '*' },
        approvedBy: [],
        approvals: [],
      };
      const around = { driver, projectDir: appDir, homes: [], environment: {} };
      return startInstance({ entry, appDir, surface: { tools: {} } }, around, told);
    },
  });
  return { ...running, record };
}

const act = (what: string): { name: string; arguments: { what: string } } => ({
  name: 'act',
  arguments: { what },
});
const egressOf = (records: readonly AuditBody[]): AuditBody[] =>
  records.filter(({ kind }) => kind === 'egress.refused' || kind === 'egress.allowed');
const callsOf = (records: readonly AuditBody[]): (string | undefined)[] =>
  records
    .filter(({ kind, method }) => kind === 'request.forwarded' && method === 'tools/call')
    .map(({ call }) => call);

describe('a connection', () => {
  it('is of the one call that was in flight, whether it was asked for or tried past the proxy', async () => {
    const running = await open();
    await running.request(1, 'tools/call', act('fetch https://evil.example/collect'));
    // The kernel is looked at each half second: what ended before the last look is not thought of.
    await sleep(700);
    await running.request(2, 'tools/call', act('dial alone 93.184.216.34'));
    await until(async () => egressOf(await running.records()).length > 1);
    await running.close();
    const records = await running.records();
    const [first, second] = callsOf(records);
    const [asked, tried] = egressOf(records);
    expect(asked).toMatchObject({
      call: first,
      target: 'act',
      data: ['evil.example:443'],
      code: 'EGRESS_REFUSED',
    });
    expect(tried).toMatchObject({ call: second, target: 'act', data: ['(not told):0'] });
    expect(tried?.message).toMatch(/^kernel: counted by the kernel: 1 that had no way out/);
    expect(egressOf(records)).toHaveLength(2);
    expect([asked?.detail, tried?.detail]).toEqual([undefined, undefined]);
  });

  it('is of nobody, and says so, where several calls were in flight or none', async () => {
    const running = await open();
    running.send({ id: 1, method: 'tools/call', params: act('never') });
    await running.request(2, 'tools/call', act('fetch https://evil.example/'));
    running.send({ method: 'notifications/cancelled', params: { requestId: 1 } });
    await until(async () => (await running.records()).some(({ outcome }) => outcome === 'lost'));
    const event = {
      host: 'api.example.com',
      port: 443,
      via: 'proxy',
      outcome: 'allowed',
      reason: 'x',
    } as const;
    await running.record(event);
    await running.close();
    const records = await running.records();
    const [several, none] = egressOf(records);
    expect(several).toMatchObject({ detail: { inFlight: 2, calls: callsOf(records) } });
    expect(none).toMatchObject({ kind: 'egress.allowed', detail: { inFlight: 0, calls: [] } });
    for (const one of [several, none]) expect([one?.call, one?.target]).toEqual([undefined, undefined]);
    expect(records.some(({ kind, data }) => kind === 'request.finished' && data !== undefined)).toBe(false);
  });

  it('that was heard of late is of none of the calls that it may have been of', async () => {
    const running = await open();
    const event = { host: '(not told)', port: 0, via: 'kernel', outcome: 'refused', reason: 'x' } as const;
    await running.request(1, 'tools/call', act('over'));
    const from = performance.now();
    await running.request(2, 'tools/call', act('over'));
    running.send({ id: 3, method: 'tools/call', params: act('never') });
    await until(async () => callsOf(await running.records()).length === 3);
    await running.record({ ...event, from });
    await running.record(event);
    running.send({ method: 'notifications/cancelled', params: { requestId: 3 } });
    await running.close();
    const records = await running.records();
    const [, second, third] = callsOf(records);
    const [late, now] = egressOf(records);
    expect(late).toMatchObject({ detail: { inFlight: 2, calls: [second, third] } });
    expect(now).toMatchObject({ call: third });
  });

  it('that was made is what its call touched', async () => {
    const running = await open();
    running.send({ id: 1, method: 'tools/call', params: act('late') });
    await until(async () => callsOf(await running.records()).length === 1);
    const event = {
      host: 'api.example.com',
      port: 443,
      via: 'proxy',
      outcome: 'allowed',
      reason: 'x',
    } as const;
    for (let n = 0; n < 3; n++) await running.record(event);
    for (let n = 0; n < 100; n++) await running.record({ ...event, host: `n${n}.example.com` });
    await running.record({ ...event, host: 'evil.example', outcome: 'refused' });
    await running.request(2, 'tools/call', act('settle'));
    await running.next(({ id }) => id === 1);
    await running.close();
    const records = await running.records();
    const ended = records.filter(({ kind }) => kind === 'request.finished');
    const [first] = callsOf(records);
    const data = ended.find(({ call }) => call === first)?.data ?? [];
    expect([data[0], data.length]).toEqual(['api.example.com:443', 50]);
    expect(data).not.toContain('evil.example:443');
    expect(ended.filter(({ data: touched }) => touched !== undefined)).toHaveLength(1);
  });
});
