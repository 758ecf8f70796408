/** Who answers: held to the pins on each connection, before a byte of HTTP; and what is shown to whoever does. */
import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { mayReach } from '../../../runtime/remote/address.ts';
import type { Credentials } from '../../../runtime/remote/requests.ts';
import { spkiOf } from '../../../runtime/remote/tls.ts';
import type { TlsPins } from '../../../schemas/remote.ts';
import type { Certified } from '../../helpers/certificates.ts';
import { certify } from '../../helpers/certificates.ts';
import {
  type Answer,
  connectTo,
  forServer,
  newAuthority,
  pinsOf,
  serveTls,
  sharedTls,
} from '../../helpers/remote.ts';

const key = ({ cert }: Certified): string => spkiOf(new X509Certificate(cert));
const { authority, pair } = sharedTls();
const other = newAuthority();

const answer: Answer = (_, response, body) => {
  const { id } = JSON.parse(body) as { id?: string };
  if (id === undefined) return void response.writeHead(202).end();
  const text = JSON.stringify({ jsonrpc: '2.0', id, result: { protocolVersion: '2025-11-25' } });
  response.writeHead(200, { 'content-type': 'application/json', connection: 'close' }).end(text);
};

const leaf: TlsPins = { leaf: [key(pair)], issuer: [], ca: authority.cert };
const issuer: TlsPins = { leaf: [], issuer: [key(authority)], ca: authority.cert };
const both: TlsPins = { ...leaf, issuer: issuer.issuer };
const twoAuthorities = `${authority.cert}${other.cert}`;
const middle = certify(authority, { name: 'middle', ca: true });

describe('whoever answers', () => {
  it.each<[string, TlsPins, Certified]>([
    ['with the pinned key', leaf, pair],
    ['with a new certificate of the same key', leaf, forServer(authority, 'localhost', { key: pair.key })],
    [
      'with the pinned key under another authority',
      { ...leaf, ca: twoAuthorities },
      forServer(other, 'localhost', { key: pair.key }),
    ],
    ['with a new key of the pinned issuer', issuer, forServer(authority, 'localhost')],
    ['with either, where both are pinned: a new key', both, forServer(authority, 'localhost')],
    [
      'with either, where both are pinned: another issuer',
      { ...both, ca: twoAuthorities },
      forServer(other, 'localhost', { key: pair.key }),
    ],
  ])('%s is spoken to', async (_, tls, shown) => {
    const served = await serveTls(answer, { pair: shown });
    const { peer, server } = await connectTo(served.url, { tls });
    await peer.ask('initialize', {}, 5000);
    expect(server.identity.leaf).toBe(key(shown));
  });

  it.each<[string, string, TlsPins, Certified]>([
    [
      'with another key of the same issuer, where the key is pinned',
      'TLS_IDENTITY_CHANGED',
      leaf,
      forServer(authority, 'localhost'),
    ],
    [
      'under another authority that is trusted',
      'TLS_IDENTITY_CHANGED',
      { ...both, ca: twoAuthorities },
      forServer(other, 'localhost'),
    ],
    [
      'under the pinned issuer’s issuer',
      'TLS_IDENTITY_CHANGED',
      { ...issuer, issuer: [key(middle)] },
      forServer(authority, 'localhost'),
    ],
    [
      'with the pinned issuer’s certificate sent along, which did not sign',
      'TLS_IDENTITY_CHANGED',
      { ...issuer, ca: other.cert },
      ((one) => ({ key: one.key, cert: `${one.cert}${authority.cert}` }))(
        forServer(other, 'localhost', { keyless: true }),
      ),
    ],
    [
      'with nothing pinned at all',
      'TLS_IDENTITY_CHANGED',
      { leaf: [], issuer: [], ca: authority.cert },
      pair,
    ],
    [
      'under an authority that is not trusted',
      'TLS_UNTRUSTED',
      { ...both, leaf: [] },
      forServer(other, 'localhost'),
    ],
    [
      'with the pinned key under an authority that is not trusted',
      'TLS_UNTRUSTED',
      leaf,
      forServer(other, 'localhost', { key: pair.key }),
    ],
    [
      'with the pinned key and another name',
      'TLS_UNTRUSTED',
      leaf,
      forServer(authority, 'other.example', { key: pair.key }),
    ],
    [
      'with the pinned key and a certificate that is over',
      'TLS_UNTRUSTED',
      leaf,
      forServer(authority, 'localhost', { key: pair.key, days: -1 }),
    ],
  ])('%s is told nothing: %s', async (_, code, tls, shown) => {
    const served = await serveTls(answer, { pair: shown });
    const events: { outcome: string; code?: string }[] = [];
    const record = async (event: (typeof events)[number]): Promise<void> => void events.push(event);
    await expect(connectTo(served.url, { tls, record })).rejects.toMatchObject({ code });
    expect(served.seen).toEqual([]);
    expect(events.map(({ outcome, code: said }) => said ?? outcome)).toEqual(['allowed', code]);
  });

  it('is asked for again on each connection: one that changes in between is told nothing more', async () => {
    const served = await serveTls(answer);
    const { peer, gone, events } = await connectTo(served.url, { tls: leaf });
    await peer.ask('initialize', {}, 5000);
    const before = served.seen.length;
    served.become(forServer(authority, 'localhost'));
    await expect(peer.ask('tools/call', { name: 'secret' }, 5000)).rejects.toMatchObject({
      code: 'TLS_IDENTITY_CHANGED',
    });
    const error = await gone;
    expect(error.expected).toContain(leaf.leaf[0]);
    expect(error.found).toContain('sha256:');
    expect(error.next).not.toBe('');
    expect(served.seen.length).toBe(before);
    expect(events.at(-1)).toMatchObject({ outcome: 'refused', code: 'TLS_IDENTITY_CHANGED', via: 'remote' });
  });

  it('is not connected to where its record cannot be written', async () => {
    const served = await serveTls(answer);
    const record = async (): Promise<void> => Promise.reject(new Error('the disk is full'));
    await expect(connectTo(served.url, { record })).rejects.toThrow('the disk is full');
    expect(served.connections()).toBe(0);
  });

  it('is looked up once for each connection, and connected to where the name led', async () => {
    const served = await serveTls(answer);
    let asked = 0;
    const resolve = async (): Promise<string> => (++asked === 1 ? '127.0.0.1' : '169.254.169.254');
    const { peer, gone } = await connectTo(served.url, { resolve });
    await peer.ask('initialize', {}, 5000);
    expect(asked).toBe(1);
    await expect(peer.ask('ping', {}, 5000)).rejects.toMatchObject({ code: 'EGRESS_REFUSED' });
    expect((await gone).found).toBe('169.254.169.254');
    expect(asked).toBe(2);
  });
});

describe('an address', () => {
  it.each([
    ['93.184.216.34', true, true],
    ['2606:2800:220:1::1', true, true],
    ['127.0.0.1', false, true],
    ['10.1.2.3', false, true],
    ['192.168.1.1', false, true],
    ['172.31.0.1', false, true],
    ['::1', false, true],
    ['fd12::1', false, true],
    ['169.254.169.254', false, false],
    ['fd00:ec2::254', false, false],
    ['100.100.100.200', false, false],
    ['168.63.129.16', false, false],
    ['fe80::1', false, false],
    ['224.0.0.1', false, false],
    ['0.0.0.0', false, false],
    ['::ffff:127.0.0.1', false, true],
    ['::ffff:169.254.169.254', false, false],
    ['::ffff:100.100.100.200', false, false],
    ['64:ff9b::7f00:1', false, false],
    ['not an address', false, false],
  ])('%s may be reached: public %s, private %s', (address, open, inside) => {
    expect([mayReach(address, 'public'), mayReach(address, 'private')]).toEqual([open, inside]);
  });
});

describe('credentials', () => {
  const SECRET = 'Bearer s3cr3t-value';

  it('are shown to the one who is pinned, with each request', async () => {
    const served = await serveTls(answer);
    const credentials: Credentials = {
      headers: async () => ({ Authorization: SECRET }),
      forget: () => true,
    };
    const { peer } = await connectTo(served.url, { credentials });
    await peer.ask('initialize', {}, 5000);
    await peer.ask('tools/list', {}, 5000);
    expect(served.seen.map(({ headers }) => headers.authorization)).toEqual([SECRET, SECRET]);
    const strangers = await serveTls(answer, { pair: forServer(authority, 'localhost') });
    await expect(connectTo(strangers.url, { credentials })).rejects.toMatchObject({
      code: 'TLS_IDENTITY_CHANGED',
    });
    expect(strangers.seen).toEqual([]);
  });

  it.each([401, 403])('that are turned down (%s) are asked for once more, and no more', async (status) => {
    let made = 0;
    let forgotten = 0;
    let fresh = 2;
    const served = await serveTls((request, response, body) => {
      if (request.headers.authorization !== `Bearer ${fresh}`) return void response.writeHead(status).end();
      return answer(request, response, body);
    });
    let at = 1;
    const credentials: Credentials = {
      headers: async () => {
        made++;
        return { authorization: `Bearer ${at}` };
      },
      forget: () => {
        forgotten++;
        at++;
        return true;
      },
    };
    const { peer, gone } = await connectTo(served.url, { credentials });
    await peer.ask('initialize', {}, 5000);
    expect([made, forgotten, served.seen.length]).toEqual([2, 1, 2]);
    fresh = 99;
    const error = await peer.ask('tools/list', {}, 5000).catch((thrown: Error) => thrown);
    expect(String((error as Error & { found?: string }).found)).toContain('REMOTE_REFUSED');
    expect([made, forgotten, served.seen.length]).toEqual([4, 2, 4]);
    // One call was refused; the session goes on.
    fresh = at;
    expect(await peer.ask('tools/list', {}, 5000)).toHaveProperty('protocolVersion');
    expect(await Promise.race([gone, Promise.resolve(null)])).toBe(null);
  });

  it('that cannot be had let nothing out', async () => {
    const served = await serveTls(answer);
    const credentials: Credentials = {
      headers: () => Promise.reject(new Error('no secret')),
      forget: () => true,
    };
    const { peer } = await connectTo(served.url, { credentials });
    await expect(peer.ask('initialize', {}, 5000)).rejects.toThrow('no secret');
    expect(served.seen).toEqual([]);
  });

  it.each([
    ['a header that is ours', { host: 'evil.example' }],
    ['a header of the protocol', { 'Mcp-Session-Id': 'stolen' }],
    ['the end of a request', { 'content-length': '0' }],
    ['a line of their own', { authorization: 'x\r\nx-evil: 1' }],
    ['a name that is none', { 'a b': 'x' }],
  ])('with %s are refused before anything is sent', async (_, headers) => {
    const served = await serveTls(answer);
    const credentials: Credentials = {
      headers: async () => headers as Record<string, string>,
      forget: () => true,
    };
    const { peer } = await connectTo(served.url, { credentials });
    await expect(peer.ask('initialize', {}, 5000)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    expect(served.seen).toEqual([]);
  });

  it('are in no sentence', async () => {
    const served = await serveTls((_, response) => void response.writeHead(401).end());
    const credentials: Credentials = {
      headers: async () => ({ authorization: SECRET }),
      forget: () => true,
    };
    const { peer } = await connectTo(served.url, { credentials });
    const error = (await peer.ask('initialize', {}, 5000).catch((thrown: Error) => thrown)) as Error;
    expect(error).toMatchObject({ code: 'REMOTE_REFUSED' });
    expect(JSON.stringify({ ...error, message: error.message })).not.toContain('s3cr3t');
  });
});

describe('pins', () => {
  it('of a certificate are of its key', () => {
    expect(pinsOf(pair)).toEqual(leaf);
    expect(key(forServer(authority, 'localhost', { key: pair.key }))).toBe(key(pair));
  });
});
