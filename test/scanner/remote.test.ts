/** A scan of remote servers: who answers is pinned, what they show is taken through the runtime's own carrier. */
import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { spkiOf } from '../../runtime/remote/tls.ts';
import { scan } from '../../scanner/scan.ts';
import { purlOfSubmission } from '../../scanner/submission.ts';
import { parseStrict } from '../../schemas/json.ts';
import { DEFAULT_LIMITS, type Submission } from '../../schemas/release.ts';
import { hostPortOf, type RemoteWish } from '../../schemas/remote.ts';
import {
  forServer,
  newAuthority,
  serveBoth,
  serveOld,
  serveSessions,
  serveTls,
  sharedTls,
} from '../helpers/remote.ts';
import { checkOf, firedIn, refusalOf, requestFor, worldOf } from './harness.ts';

const asked = (url: string, wish: Partial<RemoteWish> = {}): ReturnType<typeof requestFor> =>
  requestFor(submissionFor(url, wish));

function submissionFor(url: string, wish: Partial<RemoteWish> = {}): Submission {
  const { cert: ca } = sharedTls().authority;
  return {
    name: 'acme.tools/remote',
    version: '1.0.0',
    source: url,
    description: 'a remote server for tests',
    args: [],
    projectArgs: false,
    permissions: { egress: [hostPortOf(url)], mounts: [], env: [], limits: DEFAULT_LIMITS },
    remote: { transport: 'streamable-http', reach: 'private', pin: ['leaf', 'issuer'], ca, ...wish },
  };
}

const key = (pem: string): string => spkiOf(new X509Certificate(pem));

describe('a scan of a remote server', () => {
  it.each([
    ['of sessions', () => serveSessions(), 'streamable-http', ['session']],
    ['of both eras', () => serveBoth('stateless'), 'streamable-http', ['session', 'stateless']],
    ['of the stateless era', () => serveBoth(), 'streamable-http', ['stateless']],
    ['of the old transport', serveOld, 'http-sse', ['session']],
  ] as const)('%s pins who answers and what it shows', async (_, serve, transport, eras) => {
    const { ports } = await worldOf([], 5000);
    const { url } = await serve();
    const result = await scan(asked(url, { transport }), ports);
    const { authority, pair } = sharedTls();
    const tls = { leaf: [key(pair.cert)], issuer: [key(authority.cert)], ca: authority.cert };
    expect(result.launch).toEqual({ transport, url, reach: 'private', tls });
    expect(result.surface.capture.eras).toEqual(eras);
    expect(Object.keys(result.surface.tools)).toContain('echo');
    const [artifact] = result.closure.artifacts;
    expect(artifact).toMatchObject({ location: 'remote.json' });
    expect(artifact?.purl).toMatch(/^pkg:generic\/localhost%3A\d+\/(?:mcp|sse)@1\.0\.0$/);
    const document = parseStrict(await ports.blobs.get(artifact?.sha256 ?? ''));
    expect(document).toEqual({
      lockkeeper: 'remote/v1',
      transport,
      url,
      reach: 'private',
      tls,
      eras: [...eras].sort(),
    });
    expect(result.report.scanner.isolation).toBe('remote');
    expect(result.report.egressTried).toEqual([]);
  });

  it('says once what nobody could look at, and leaves out what reads a package', async () => {
    const { ports } = await worldOf([], 5000);
    const { url } = await serveSessions();
    const result = await scan(asked(url), ports);
    expect(checkOf(result, 'LK-ART-01')).toMatchObject({ outcome: 'fired', gates: true });
    expect(firedIn(result, 'LK-ART-01')[0]).toContain('its code runs elsewhere');
    const ids = result.report.checks.map(({ id }) => id);
    for (const id of ['LK-ART-02', 'LK-REL-01', 'LK-MNT-01', 'LK-CAP-01', 'LK-ADV-01'])
      expect(ids).not.toContain(id);
    for (const id of ['LK-SRF-01', 'LK-TXT-01', 'LK-TXT-02']) expect(ids).toContain(id);
  });

  it('pins one key alone where that is asked for', async () => {
    const { ports } = await worldOf([], 5000);
    const { url } = await serveSessions();
    const { launch } = await scan(asked(url, { pin: ['issuer'] }), ports);
    expect(launch).toMatchObject({ tls: { leaf: [], issuer: [key(sharedTls().authority.cert)] } });
  });

  it('shows the next release a changed key as a risk', async () => {
    const { ports } = await worldOf([], 5000);
    const served = await serveSessions();
    const { closure, surface, launch } = await scan(asked(served.url), ports);
    const { permissions } = submissionFor(served.url);
    const baseline = {
      version: '1.0.0',
      closure,
      surface,
      launch,
      maintainers: null,
      permissions,
      origin: null,
    };
    served.become(forServer(sharedTls().authority, 'localhost'));
    const next = { ...submissionFor(served.url), version: '1.1.0' };
    const result = await scan({ ...requestFor(next), baseline }, ports);
    expect(JSON.stringify(checkOf(result, 'LK-PRM-01'))).toContain('/launch/tls');
  });
});

describe('a scan refuses', () => {
  const trusted = sharedTls();

  it.each([
    ['an authority that nobody trusts', 'TLS_UNTRUSTED', { ca: null }, trusted.pair],
    ['another authority than the one given', 'TLS_UNTRUSTED', { ca: newAuthority().cert }, trusted.pair],
    ['a certificate of another name', 'TLS_UNTRUSTED', {}, forServer(trusted.authority, 'other.example')],
    [
      'a certificate that is over',
      'TLS_UNTRUSTED',
      {},
      forServer(trusted.authority, 'localhost', { days: -1 }),
    ],
    ['a private address that is not said to be one', 'EGRESS_REFUSED', { reach: 'public' }, trusted.pair],
  ] as const)('%s', async (_, code, wish, pair) => {
    const { ports, stored } = await worldOf([], 5000);
    const served = await serveTls((__, response) => void response.end(), { pair });
    const before = stored();
    expect((await refusalOf(scan(asked(served.url, wish), ports))).code).toBe(code);
    expect(served.seen).toEqual([]);
    expect(stored()).toBe(before);
  });

  it('a server that is not there, as something to try again', async () => {
    const { ports } = await worldOf([], 5000);
    const served = await serveTls((__, response) => void response.end());
    await served.close();
    const error = await refusalOf(scan(asked(served.url), ports));
    expect([error.code, error.exit]).toEqual(['REMOTE_UNREACHABLE', 4]);
  });
});

describe('a submission of a remote server', () => {
  const url = 'https://mcp.acme.example/mcp';
  const good = submissionFor(url);

  it('has a package url of its address', () => {
    expect(purlOfSubmission(good)).toBe('pkg:generic/mcp.acme.example/mcp@1.0.0');
  });

  it.each<[string, Partial<Submission>]>([
    ['other hosts', { permissions: { ...good.permissions, egress: ['evil.example:443'] } }],
    [
      'more hosts',
      { permissions: { ...good.permissions, egress: ['mcp.acme.example:443', 'evil.example:443'] } },
    ],
    ['folders', { permissions: { ...good.permissions, mounts: [{ target: '/data', mode: 'ro' }] } }],
    ['variables', { permissions: { ...good.permissions, env: ['KEY'] } }],
    ['arguments', { args: ['--more'] }],
    ['arguments of the project', { projectArgs: true }],
    ['an address that is written otherwise', { source: 'https://mcp.acme.example/a/../mcp' }],
    ['the usual port written out', { source: 'https://mcp.acme.example:443/mcp' }],
  ])('with %s is refused', (_, change) => {
    expect(() => purlOfSubmission({ ...good, ...change })).toThrow(
      expect.objectContaining({ code: 'REQUEST_INVALID' }),
    );
  });

  it('is nothing that a package may have', () => {
    const { remote = null } = good;
    const mixed = { ...requestFor().submission, ...(remote ? { remote } : {}) };
    expect(() => purlOfSubmission(mixed)).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
  });
});
