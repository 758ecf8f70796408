/** Scans of servers that show their tools to nobody without credentials. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Context, Values } from '../../cli/command.ts';
import { login } from '../../cli/commands/login.ts';
import { loadCliConfig } from '../../cli/config.ts';
import { openHome } from '../../cli/home.ts';
import { makePaint } from '../../cli/output.ts';
import { openScanCredentials } from '../../scanner/credentials.ts';
import { scan } from '../../scanner/scan.ts';
import { DEFAULT_LIMITS, type Submission } from '../../schemas/release.ts';
import { hostPortOf } from '../../schemas/remote.ts';
import { metadataOf, serveIssuer } from '../helpers/consent.ts';
import { newAuthority, type Served, serveBoth, sharedTls } from '../helpers/remote.ts';
import { tempDir } from '../helpers/session.ts';
import { until } from '../helpers/wait.ts';
import { refusalOf, requestFor, worldOf } from './harness.ts';

const TOKEN = 'for-scans';
const PRM = '/.well-known/oauth-protected-resource/mcp';
const setting = { environment: {}, now: () => new Date() };

function submissionOf(url: string, ca: string): Submission {
  return {
    ...{ name: 'acme.tools/remote', version: '1.0.0', source: url, description: 'a remote server for tests' },
    ...{ args: [], projectArgs: false },
    permissions: { egress: [hostPortOf(url)], mounts: [], env: [], limits: DEFAULT_LIMITS },
    remote: { transport: 'streamable-http', reach: 'private', pin: ['leaf', 'issuer'], ca },
  };
}

/** A server that answers those alone who show the token; and the one whom it names. */
async function closed(): Promise<{ served: Served; issuer: string; dir: string }> {
  const at = await serveIssuer(() => ({
    metadata: metadataOf(at.issuer),
    client: { client_id: 'lk' },
    tokens: () => [200, { access_token: TOKEN, token_type: 'Bearer' }],
    iss: at.issuer,
  }));
  const served: Served = await serveBoth('reject', (request, response) => {
    if (request.headers.authorization === `Bearer ${TOKEN}`) return false;
    if (request.url === PRM)
      response.end(JSON.stringify({ resource: served.url, authorization_servers: [at.issuer] }));
    else response.writeHead(401, { 'www-authenticate': 'Bearer' }).end();
    return true;
  });
  const dir = tempDir();
  writeFileSync(join(dir, 'ca.pem'), sharedTls().authority.cert);
  writeFileSync(join(dir, 'token'), TOKEN, { mode: 0o600 });
  return { served, issuer: at.issuer, dir };
}

const header = { kind: 'header', name: 'Authorization', prefix: 'Bearer ', secret: 'file:token' };

function written(dir: string, servers: object): string {
  const path = join(dir, 'credentials.json');
  writeFileSync(path, JSON.stringify({ lockkeeper: 'scan-credentials/v1', servers }));
  return path;
}

describe('a scan of a server that asks who comes', () => {
  it('sees what is there with the credentials for its address, and nothing without', async () => {
    const { served, dir } = await closed();
    const { ports } = await worldOf([], 5000);
    const path = written(dir, { [served.url]: { credential: header, ca: 'ca.pem' } });
    const request = requestFor(submissionOf(served.url, sharedTls().authority.cert));
    expect(await refusalOf(scan(request, ports))).toMatchObject({ code: 'REMOTE_REFUSED' });
    const credentials = await openScanCredentials(path, setting);
    const { surface, report } = await scan(request, { ...ports, credentials });
    expect(Object.keys(surface.tools)).toEqual(['echo']);
    expect(JSON.stringify(report)).not.toContain(TOKEN);
  });

  it('shows nothing to whoever is published with another authority', async () => {
    const { served, dir } = await closed();
    const { ports } = await worldOf([], 5000);
    const other = `${sharedTls().authority.cert}${newAuthority().cert}`;
    const request = requestFor(submissionOf(served.url, other));
    for (const entry of [{ credential: header, ca: 'ca.pem' }, { credential: header }]) {
      const credentials = await openScanCredentials(written(dir, { [served.url]: entry }), setting);
      expect(await refusalOf(scan(request, { ...ports, credentials }))).toMatchObject({
        code: 'TLS_UNTRUSTED',
      });
    }
    expect(served.seen).toEqual([]);
  });

  it('shows what somebody signed in for on its machine, with no lock yet', async () => {
    const { served, issuer, dir } = await closed();
    const { ports } = await worldOf([], 5000);
    const entry = { credential: { kind: 'sign-in', file: 'server-sign-ins.json' }, ca: 'ca.pem' };
    const credentials = await openScanCredentials(written(dir, { [served.url]: entry }), setting);
    const request = requestFor(submissionOf(served.url, sharedTls().authority.cert));
    expect(await refusalOf(scan(request, { ...ports, credentials }))).toMatchObject({
      code: 'SIGN_IN_NEEDED',
    });
    await signedIn(dir, { server: served.url, issuer, private: true, ca: 'ca.pem', 'no-browser': true });
    expect(Object.keys((await scan(request, { ...ports, credentials })).surface.tools)).toEqual(['echo']);
  });

  it('does not begin with credentials that cannot be read', async () => {
    const dir = tempDir();
    const opened = (servers: object): Promise<unknown> => openScanCredentials(written(dir, servers), setting);
    const url = 'https://mcp.acme.test/mcp';
    await expect(openScanCredentials(join(dir, 'none'), setting)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
    await expect(opened({ [url]: { credential: header, reach: 'private' } })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
    await expect(opened({ [url]: { credential: header } })).rejects.toMatchObject({ code: 'SECRET_MISSING' });
    await expect(opened({ 'http://mcp.acme.test/': { credential: header } })).rejects.toThrow(
      'http://mcp.acme.test/',
    );
  });
});

/** lk login --server, whose person is told where to go. */
async function signedIn(home: string, values: Values): Promise<void> {
  const said: string[] = [];
  const context: Context = {
    ...{ config: { ...loadCliConfig({}, false), home }, home: openHome(home), cwd: home },
    ...{ paint: makePaint(false), progress: () => undefined, now: () => new Date(), json: true },
    say: (line) => void said.push(line),
    api: async () => Promise.reject(new Error('no registry is asked')),
  };
  const done = login.run(context, [], values);
  done.catch(() => undefined);
  onTestFinished(() =>
    done.then(
      () => undefined,
      () => undefined,
    ),
  );
  const shown = await until(() => /http:\/\/\S+\/authorize\S+/.exec(said.join('\n'))?.[0]);
  expect(await (await fetch(shown)).text()).toContain('You can close this page');
  await done;
}
