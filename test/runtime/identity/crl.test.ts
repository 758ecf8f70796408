/** Revocation lists: what is on one is refused by name, what is no good list refuses everybody, changes count at once. */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { listsIn, serialOf } from '../../../runtime/identity/crl.ts';
import { type Authority, certify, makeAuthority, revoke } from '../../helpers/certificates.ts';
import { JSON_HEADERS, startGateway } from '../../helpers/gateway.ts';
import { accepted, refused, requestWith, type TestIdentity, testIdentity } from '../../helpers/identity.ts';
import { INITIALIZE, tempDir } from '../../helpers/session.ts';
import { until } from '../../helpers/wait.ts';

let dir: string;
let root: Authority;
let middle: Authority;
let good: Authority;
let bad: Authority;
let below: Authority;

const users = ['good', 'bad', 'below'].map((name) => ({ san: `DNS:${name}.acme.test`, user: name }));
const serial = ({ cert }: Authority): string => new X509Certificate(cert).serialNumber;
const shown = ({ cert }: Authority) =>
  requestWith({ certificate: new X509Certificate(cert), authorized: true });
const put = (name: string, text: Buffer | string): void => writeFileSync(join(dir, name), text);
const opened = (crl: string | string[]): Promise<TestIdentity> =>
  testIdentity({ certificates: { ca: 'ca.pem', crl, users } }, dir);
const codeOf = async (identity: TestIdentity, who: Authority): Promise<string> =>
  (await refused(identity, shown(who))).error.code;

beforeAll(() => {
  dir = tempDir();
  root = makeAuthority(dir, 'root');
  middle = certify(root, { name: 'middle', ca: true });
  const made = (by: Authority, name: string): Authority =>
    certify(by, { name, san: `DNS:${name}.acme.test` });
  [good, bad, below] = [made(root, 'good'), made(root, 'bad'), made(middle, 'below')];
  put('ca.pem', root.cert + middle.cert);
});

describe('a revocation list', () => {
  it.each([false, true])('refuses what is on it by name, and nothing else (DER: %s)', async (der) => {
    put('list', revoke(root, [serial(bad), 'ABCDEF'], { der }));
    const identity = await opened('list');
    expect(await accepted(identity, shown(good))).toMatchObject({ caller: { user: 'good' } });
    const { error, status, headers } = await refused(identity, shown(bad));
    expect([status, error.code, headers.connection]).toEqual([401, 'CERTIFICATE_REVOKED', 'close']);
    expect(error.found).toContain('CN=bad');
    expect(error.found).toContain(serial(bad));
  });

  it('is needed of each authority that signs, and looked at of one above where it is there', async () => {
    put('root', revoke(root, []));
    const alone = await opened('root');
    await accepted(alone, shown(good));
    expect(await codeOf(alone, below)).toBe('IDENTITY_UNVERIFIED');
    expect(alone.troubles[0]).toMatchObject({ code: 'REVOCATIONS_UNKNOWN', found: 'none' });
    put('middle', revoke(middle, []));
    await accepted(await opened(['root', 'middle']), shown(below));
    await accepted(await opened('middle'), shown(below));
    put('both', Buffer.concat([revoke(root, [serial(middle)]), revoke(middle, [])]));
    const both = await opened('both');
    expect(await codeOf(both, below)).toBe('CERTIFICATE_REVOKED');
    await accepted(both, shown(good));
  });

  it('knows a number below zero, which some authorities give', async () => {
    const odd = certify(root, { name: 'odd', san: 'DNS:bad.acme.test', serial: '-0x85' });
    expect(serial(odd)).toBe('-85');
    put('list', revoke(root, ['-85']));
    const identity = await opened('list');
    expect(await codeOf(identity, odd)).toBe('CERTIFICATE_REVOKED');
    await accepted(identity, shown(bad));
  });

  it('that is over refuses, and says what to do; a newer one beside it counts', async () => {
    put('old', revoke(root, [], { seconds: 60 }));
    put('new', revoke(root, [serial(bad)], { seconds: 3600 }));
    const identity = await opened('old');
    await accepted(identity, shown(bad));
    identity.later(61);
    expect(await codeOf(identity, good)).toBe('IDENTITY_UNVERIFIED');
    expect(identity.troubles[0]?.message).toMatch(/ended at .*certificates\.crl/);
    const both = await opened(['old', 'new']);
    both.later(61);
    await accepted(both, shown(good));
    expect(await codeOf(both, bad)).toBe('CERTIFICATE_REVOKED');
  });

  it('that changes counts within a second; one that cannot be read refuses until it can', async () => {
    put('list', revoke(root, []));
    const identity = await opened('list');
    await accepted(identity, shown(bad));
    put('list', revoke(root, [serial(bad)]));
    identity.later(1);
    expect(await codeOf(identity, bad)).toBe('CERTIFICATE_REVOKED');
    for (const change of [() => put('list', 'half of'), () => rmSync(join(dir, 'list'))]) {
      change();
      identity.later(1);
      expect(await codeOf(identity, good)).toBe('IDENTITY_UNVERIFIED');
    }
    expect(identity.troubles.at(-1)).toMatchObject({ code: 'CONFIG_INVALID' });
    put('list', revoke(root, []));
    identity.later(1);
    await accepted(identity, shown(good));
  });

  it('of somebody else, of a part, that was changed or is none starts nothing', async () => {
    const list = revoke(root, [serial(bad)], { der: true });
    const changed = Buffer.from(list.toString('latin1').replace('root', 'roof'), 'latin1');
    const place = list.indexOf(Buffer.from(serial(bad), 'hex')) + 3;
    const unlisted = Buffer.from(list);
    unlisted[place] = 1 ^ (unlisted[place] ?? 0);
    const other = revoke(makeAuthority(tempDir(), 'root'), []);
    const part = revoke(root, [], {
      extensions: 'issuingDistributionPoint = critical, @point\n[point]\nonlyuser = TRUE',
    });
    const delta = revoke(root, [], { extensions: 'deltaCRL = DER:020101' });
    const cases: [string, Buffer | string, RegExp][] = [
      ['renamed', changed, /none of them signed/],
      ['unlisted', unlisted, /none of them signed/],
      ['other', other, /none of them signed/],
      ['part', part, /of a part alone/],
      ['delta', delta, /of a part alone/],
      ['certificate', root.cert, /something else/],
      ['empty', '', /something else/],
    ];
    for (const [name, text, found] of cases) {
      put(name, text);
      await expect(opened(name), name).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        found: expect.stringMatching(found),
      });
    }
    await expect(opened('nowhere')).rejects.toMatchObject({ code: 'CONFIG_INVALID', found: 'no such file' });
  });

  it('of many is read in parts, between which others are served', async () => {
    const numbers = Array.from({ length: 20_000 }, (_, at) => (at + 0x100000).toString(16));
    const list = revoke(root, numbers, { der: true });
    let [served, read] = [0, false];
    const serve = (): void => {
      served++;
      if (!read) setImmediate(serve);
    };
    setImmediate(serve);
    const [whole] = await listsIn(list, { file: 'f', authorities: [new X509Certificate(root.cert)] });
    read = true;
    expect(served).toBeGreaterThanOrEqual(20);
    expect([...(whole?.serials ?? [])].sort()).toEqual(numbers.map(serialOf).sort());
  });

  it('of any bytes is read or refused, and nothing else', async () => {
    const list = revoke(root, [serial(bad)], { der: true });
    const authorities = [new X509Certificate(root.cert)];
    const [whole] = await listsIn(list, { file: 'f', authorities });
    expect([...(whole?.serials ?? [])]).toEqual([serialOf(serial(bad))]);
    for (let at = 0; at < list.length; at++) {
      const flipped = Buffer.from(list);
      flipped[at] = 0xff ^ (flipped[at] ?? 0);
      for (const bytes of [list.subarray(0, at), flipped])
        await expect(listsIn(bytes, { file: 'f', authorities })).rejects.toMatchObject({
          code: 'CONFIG_INVALID',
        });
    }
  });
});

it('ends the sessions, streams and connections of a certificate that was revoked meanwhile', async () => {
  put('list', revoke(root, []));
  const identity = await opened('list');
  const own = certify(root, { name: 'gateway', san: 'IP:127.0.0.1', usage: 'serverAuth' });
  const tls = {
    key: Buffer.from(own.key),
    cert: Buffer.from(own.cert),
    ...(identity.tls ? { client: identity.tls } : {}),
  };
  const options = { tls, askedMs: 20, identify: (request: IncomingMessage) => identity.identify(request) };
  const gateway = await startGateway({ options });
  const agents = [good, bad].map(
    ({ key, cert }) => new Agent({ key, cert, ca: root.cert, keepAlive: true, maxSockets: 1 }),
  );
  const listening = new Agent({ key: bad.key, cert: bad.cert, ca: root.cert });
  const ask = async (
    agent: Agent | undefined,
    method: string,
    headers = {},
    body = '',
  ): Promise<IncomingMessage> => {
    const url = `${gateway.url}/servers/weather/mcp`;
    const sent = httpsRequest(url, { agent, method, headers: { ...JSON_HEADERS, ...headers } });
    sent.on('error', () => undefined);
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    return response;
  };
  const begin = async (agent: Agent | undefined): Promise<IncomingMessage> => {
    const message = {
      jsonrpc: '2.0',
      id: 0,
      method: 'initialize',
      params: { ...INITIALIZE, protocolVersion: '2025-11-25' },
    };
    const response = await ask(agent, 'POST', {}, JSON.stringify(message));
    await once(response.resume(), 'end');
    return response;
  };
  try {
    const [kept, gone] = [await begin(agents[0]), await begin(agents[1])];
    expect([kept.statusCode, gone.statusCode, gateway.sessions]).toEqual([200, 200, 2]);
    const stream = await ask(listening, 'GET', { 'mcp-session-id': String(gone.headers['mcp-session-id']) });
    expect(stream.statusCode).toBe(200);
    const ended = new Promise<void>((resolve) =>
      stream
        .on('close', resolve)
        .on('error', () => undefined)
        .resume(),
    );
    put('list', revoke(root, [serial(bad)]));
    identity.later(1);
    await ended;
    await until(() => gateway.sessions === 1);
    const refusal = await ask(agents[1], 'POST', {}, '{}');
    expect([refusal.statusCode, refusal.headers.connection]).toEqual([401, 'close']);
    expect(gateway.refusals).toContain('CERTIFICATE_REVOKED');
    expect((await begin(agents[0])).statusCode).toBe(200);
  } finally {
    for (const agent of [...agents, listening]) agent.destroy();
    await gateway.close();
  }
});
