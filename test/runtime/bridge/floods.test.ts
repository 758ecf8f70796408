/** Servers that say without end what a bridge answers or drops by itself: they are ended as they would be without one. */
import { expect, it } from 'vitest';
import { MUCH_NOISE } from '../../../runtime/session/limits.ts';
import type { Era } from '../../../schemas/surface.ts';
import { envelopeWith, greeted, type Lone, sessionWith } from '../../helpers/eras.ts';
import { codeOf, plainProcess } from '../../helpers/session.ts';

/** Greets as it should in either era; what it says for ever once it is called stands in `said`, which may count by `n`. */
const flooding = (said: string): string => `
  import { createInterface } from 'node:readline';
  const send = (m) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...m }) + '\\n');
  const tools = [{ name: 'do', description: 'Do it', inputSchema: { type: 'object' } }];
  const capabilities = { tools: {}, logging: {} };
  const serverInfo = { name: 'flooding', version: '1' };
  const flood = async (id) => {
    for (let n = 0; ; n++)
      if (!send(${said})) await new Promise((resolve) => process.stdout.once('drain', resolve));
  };
  createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, method } = JSON.parse(line);
    if (method === 'initialize') send({ id, result: { protocolVersion: '2025-11-25', capabilities, serverInfo } });
    else if (method === 'server/discover') send({ id, result: { supportedVersions: ['2026-07-28'], capabilities, serverInfo } });
    else if (method === 'tools/list') send({ id, result: { tools, resultType: 'complete' } });
    else if (method === 'tools/call') flood(id);
  });`;

const PING = `{ id: n, method: 'ping' }`;
const UNKNOWN = `{ id: n, method: 'client/secrets', params: {} }`;
const WORDS = `{ method: 'notifications/message', params: { level: 'info', data: 'x' } }`;
const PROGRESS = `{ method: 'notifications/progress', params: { progressToken: 'nobody', progress: n } }`;
const LARGE = `{ method: 'notifications/message', params: { level: 'info', data: 'x'.repeat(200_000) } }`;

it.each<[what: string, server: Era, said: string]>([
  ['pings', 'session', PING],
  ['requests that nobody knows', 'session', UNKNOWN],
  ['words that nobody asked for', 'session', WORDS],
  ['progress of nothing', 'session', PROGRESS],
  ['large words that nobody asked for', 'session', LARGE],
  ['pings', 'stateless', PING],
  ['requests that nobody knows', 'stateless', UNKNOWN],
])('%s of a server of the %s era end it', async (_, era, said) => {
  const words = ['--input-type=module', '-e', flooding(said)];
  const server: Lone = { words, era };
  const started = await sessionWith(server, { start: () => plainProcess(words) });
  const session = era === 'stateless' ? await greeted(started) : started;
  const _meta = envelopeWith();
  const call = await session.request(1, 'tools/call', {
    name: 'do',
    ...(era === 'session' ? { _meta } : {}),
  });
  expect(codeOf(call)).toBe('RATE_LIMITED');
  expect((await session.end).error).toMatchObject({ code: 'RATE_LIMITED' });
  const refused = (await session.records()).filter(({ kind }) => kind === 'request.refused');
  // The 2,000 of two windows, where one begins in the middle of it.
  expect(refused.length).toBeLessThanOrEqual(4000);
});

it('what goes nowhere is recorded one by one, then as what has no record of each', async () => {
  const words = [
    '--input-type=module',
    '-e',
    flooding(`n < 500 ? ${WORDS} : { id, result: { content: [] } }`),
  ];
  const session = await sessionWith({ words, era: 'session' }, { start: () => plainProcess(words) });
  await session.request(1, 'tools/call', { name: 'do', _meta: envelopeWith() });
  await session.end;
  const unheard = (await session.records()).filter(({ kind }) => kind === 'response.refused');
  const said = unheard.map(({ message = '' }) => message);
  expect(said.filter((one) => one.includes('which no request of the client asked for'))).toHaveLength(200);
  expect(said.filter((one) => one === MUCH_NOISE)).toHaveLength(1);
});

it('a subscription that nobody asked for is acknowledged to nobody', async () => {
  const acknowledged = `{ method: 'notifications/subscriptions/acknowledged', params: { notifications: {} } }`;
  const said = `[${acknowledged}, { id, result: { content: [] } }][n] ?? {}`;
  const words = ['--input-type=module', '-e', flooding(said)];
  const server: Lone = { words, era: 'stateless' };
  const session = await greeted(await sessionWith(server, { start: () => plainProcess(words) }));
  expect(await session.request(1, 'tools/call', { name: 'do' })).toMatchObject({ result: {} });
  await session.end;
  expect(session.received.some(({ method }) => method !== undefined)).toBe(false);
  const refused = (await session.records()).filter(({ kind }) => kind === 'response.refused');
  expect(refused.map(({ message }) => message)).toContain(
    'a subscription acknowledged that nobody asked for',
  );
});
