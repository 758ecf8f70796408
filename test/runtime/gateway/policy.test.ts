/** One policy for everybody who comes through the gateway: what is listed is what may be called, and what was read stays read. */
import { symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import {
  callsIn,
  httpClient,
  messagesOf,
  type RunningGateway,
  startGateway,
  stateless,
} from '../../helpers/gateway.ts';
import { codeOf } from '../../helpers/session.ts';

let gateway: RunningGateway | undefined;
afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
});

const ACT = { name: 'act', arguments: { what: 'good' } };
const ECHO = { name: 'echo', arguments: { message: 'hi' } };

describe('policy over HTTP', () => {
  it('shows and permits the same, by the teams of whoever calls', async () => {
    gateway = await startGateway({
      policy: 'team interns = as signed in\neveryone: all locked tools\ninterns: no write tools\n',
    });
    const url = `${gateway.url}/servers/weather/mcp`;
    const intern = await httpClient(url, { 'x-user': 'ida', 'x-teams': 'interns' });
    const dev = await httpClient(url, { 'x-user': 'dan', 'x-teams': 'devs' });
    const names = async (client: typeof dev): Promise<string> =>
      JSON.stringify(await client.request(1, 'tools/list'));
    expect(await names(intern)).not.toContain('"name":"act"');
    expect(await names(dev)).toContain('"name":"act"');
    expect(codeOf((await intern.request(2, 'tools/call', ACT))[0] ?? {})).toBe('POLICY_REFUSED');
    expect(gateway.processes.length).toBe(0);
    expect((await intern.request(3, 'tools/call', ECHO))[0]?.error).toBeUndefined();
    expect((await dev.request(2, 'tools/call', ACT))[0]?.error).toBeUndefined();
    const refused = (await gateway.records()).find(({ code }) => code === 'POLICY_REFUSED');
    expect(refused).toMatchObject({
      user: 'ida',
      target: 'act',
      decision: { rule: expect.stringContaining('interns') },
    });
  });

  it('is asked with the teams of today: who is moved begins anew', async () => {
    gateway = await startGateway();
    const client = await httpClient(`${gateway.url}/servers/weather/mcp`, {
      'x-user': 'ida',
      'x-teams': 'devs',
    });
    const moved = await fetch(`${gateway.url}/servers/weather/mcp`, {
      method: 'DELETE',
      headers: { ...client.headers, 'x-teams': 'interns' },
    });
    expect(moved.status).toBe(404);
  });

  it('knows a credential that reaches some servers alone', async () => {
    gateway = await startGateway({ servers: { weather: 'good', docs: 'good' } });
    const headers = { 'x-servers': 'docs' };
    const closed = await stateless(
      `${gateway.url}/servers/weather/mcp`,
      { id: 1, method: 'tools/list' },
      headers,
    );
    expect(closed.status).toBe(404);
    expect(await closed.json()).toMatchObject({
      error: { data: { expected: 'one of /servers/docs/mcp, /mcp' } },
    });
    const open = await httpClient(`${gateway.url}/servers/docs/mcp`, headers);
    expect((await open.request(1, 'tools/call', ECHO))[0]?.error).toBeUndefined();
  });

  it('holds what was read through one door against what is sent through another', async () => {
    gateway = await startGateway({
      servers: { mail: 'good', notes: 'good', web: 'good' },
      // None of these tools says what it does: each counts as reading and as sending.
      policy: 'toxic flows: unlabelled tools count as all\neveryone: all locked tools\n',
    });
    const at = (alias: string): string => `${gateway?.url}/servers/${alias}/mcp`;
    const mail = await httpClient(at('mail'));
    expect((await mail.request(1, 'tools/call', ECHO))[0]?.error).toBeUndefined();
    await fetch(at('mail'), { method: 'DELETE', headers: mail.headers });
    const web = await httpClient(at('web'));
    expect(codeOf((await web.request(1, 'tools/call', ECHO))[0] ?? {})).toBe('POLICY_REFUSED');
    const other = await httpClient(at('web'), { 'x-user': 'somebody-else' });
    expect((await other.request(1, 'tools/call', ECHO))[0]?.error).toBeUndefined();
    expect(await messagesOf(await stateless(at('web'), { id: 1, method: 'tools/list' }))).toBeDefined();
  });

  const READING = 'toxic flows: unlabelled tools count as all\neveryone: all locked tools\n';
  const asked = async (headers: Record<string, string>): Promise<unknown> => {
    const client = await httpClient(`${gateway?.url}/servers/weather/mcp`, headers);
    return codeOf((await client.request(1, 'tools/call', ECHO))[0] ?? {});
  };
  const [first, second] = ['t1', 't2'].map((credential) => ({ 'x-user': 'Ada', 'x-credential': credential }));

  it('holds what was read with one credential against what is sent with another, also after a restart', async () => {
    gateway = await startGateway({ policy: READING });
    expect(await asked({ ...first })).toBeUndefined();
    expect(await asked({ ...second, 'x-teams': 'others', 'x-user': 'ada' })).toBe('POLICY_REFUSED');
    const { dir } = gateway;
    await gateway.close();
    gateway = await startGateway({ policy: READING, dir });
    expect(await asked({ ...second })).toBe('POLICY_REFUSED');
    expect(gateway.processes.length).toBe(0);
    const refused = (await gateway.records()).findLast(({ code }) => code === 'POLICY_REFUSED');
    expect(JSON.stringify(refused?.detail)).toContain('weather/echo');
    expect(await asked({ 'x-user': 'bob' })).toBeUndefined();
  });

  it('knows each credential by itself where the policy says so', async () => {
    gateway = await startGateway({ policy: `toxic flows: each credential by itself\n${READING}` });
    expect(await asked({ ...first })).toBeUndefined();
    expect(await asked({ ...first })).toBe('POLICY_REFUSED');
    expect(await asked({ ...second })).toBeUndefined();
  });

  it('makes no call of which could not be remembered that it reads', async () => {
    gateway = await startGateway({ policy: READING });
    const flows = join(gateway.dir, 'flows');
    symlinkSync(join(gateway.dir, 'nowhere'), flows);
    expect(await asked({ ...first })).toBe('FLOWS_BROKEN');
    expect(callsIn(gateway, 'weather')).toBe('');
    const records = (await gateway.records()).filter(({ method }) => method === 'tools/call');
    expect(records).toMatchObject([{ kind: 'request.refused', target: 'echo', code: 'FLOWS_BROKEN' }]);
    unlinkSync(flows);
    expect(await asked({ ...first })).toBeUndefined();
  });
});
