/** docs/remote.md, run: a remote server from its address to a record of a call, with every program as it is. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { metadataOf, serveIssuer } from './helpers/consent.ts';
import { forServer, type Served, serveBoth, sharedTls } from './helpers/remote.ts';
import { clientLines, MAIN, startTour, type Tour } from './helpers/tour.ts';

const ADDRESS = 'https://mcp.acme.example/mcp';
const ISSUER = 'https://login.acme.example';
const METADATA = '/.well-known/oauth-protected-resource/mcp';

const LINES = clientLines({ name: 'echo', arguments: { text: 'found it' } });

/** What opens an address where there is a desktop: here, a browser without a face. */
function browser(dir: string): Record<string, string> {
  mkdirSync(join(dir, 'bin'));
  const program = `#!${process.execPath}\nfetch(process.argv[2]);\n`;
  writeFileSync(join(dir, 'bin/xdg-open'), program, { mode: 0o755 });
  return { PATH: `${join(dir, 'bin')}:${process.env.PATH}` };
}

/** What the scanner shows to the server. */
function scans(dir: string, url: string): Record<string, string> {
  writeFileSync(join(dir, 'project/company-ca.pem'), sharedTls().authority.cert);
  writeFileSync(join(dir, 'search-token'), 'a-token-of-scans', { mode: 0o600 });
  const credential = {
    kind: 'header',
    name: 'Authorization',
    prefix: 'Bearer ',
    secret: 'file:search-token',
  };
  const servers = { [url]: { credential, ca: 'project/company-ca.pem' } };
  const file = join(dir, 'scan-credentials.json');
  writeFileSync(file, JSON.stringify({ lockkeeper: 'scan-credentials/v1', servers }));
  return { LOCKKEEPER_SCAN_CREDENTIALS: file };
}

describe('docs/remote.md', () => {
  let tour: Tour;

  afterAll(() => tour?.close());

  it('works as written, and whoever else answers there is told nothing', async () => {
    const at = await serveIssuer(() => ({
      metadata: metadataOf(at.issuer),
      client: { client_id: 'lk' },
      tokens: () => [200, { access_token: 'a-token-of-admin', token_type: 'Bearer' }],
      iss: at.issuer,
    }));
    // Whose token it wants: first the scanner's, then nobody's, then a person's.
    let wants: string | null = 'a-token-of-scans';
    const served: Served = await serveBoth('stateless', (request, response) => {
      if (wants === null || request.headers.authorization === `Bearer ${wants}`) return false;
      if (request.url === METADATA)
        response.end(JSON.stringify({ resource: served.url, authorization_servers: [at.issuer] }));
      else response.writeHead(401, { 'www-authenticate': 'Bearer' }).end();
      return true;
    });
    tour = await startTour('remote', (folder) => ({ ...browser(folder), ...scans(folder, served.url) }));
    const { dir, must, shell } = tour;
    writeFileSync(join(dir, 'project/calls.jsonl'), LINES);
    await tour.people();
    const of = await tour.follow('docs/remote.md', async (line) => {
      if (line.startsWith('lk lock')) wants = null;
      if (line.includes('--issuer')) await refusedFirst();
      return must(line.replace(ADDRESS, served.url).replace(ISSUER, at.issuer));
    });
    async function refusedFirst(): Promise<void> {
      wants = 'a-token-of-admin';
      const asked = served.seen.length;
      const run = await shell('lk run search --as admin < calls.jsonl');
      expect([run.stdout, run.stdout.includes('found it')]).toEqual([
        expect.stringContaining('SIGN_IN_NEEDED'),
        false,
      ]);
      expect(run.stdout).toContain('lk login --server search');
      const login = await shell('lk login --server search');
      expect([login.exit, login.stderr]).toEqual([3, expect.stringContaining(`--issuer ${at.issuer};`)]);
      expect(served.seen.slice(asked).every(({ headers }) => headers.authorization === undefined)).toBe(true);
      expect(at.asked).toEqual([]);
      expect(existsSync(join(dir, 'home/server-sign-ins.json'))).toBe(false);
    }
    wants = null;

    expect(of('--issuer')).toContain(`Signed in for search at ${at.issuer}`);
    expect(of('--forget')).toContain('Forgot the sign-in for search');
    expect(readFileSync(join(dir, 'home/server-sign-ins.json'), 'utf8')).not.toContain('a-token-of-admin');

    expect(of('lk review')).toContain(served.url);
    expect(of('lk review')).toContain('its code runs elsewhere');
    expect(of('lk ci')).toContain('is locked, approved and current');
    expect(of('lk run')).toContain('found it');
    expect(of('lk run')).toContain('TOOL_REFUSED');
    expect(of('lk audit')).toContain('run_shell');
    const calls = served.seen.filter(({ body }) => body.includes('tools/call'));
    expect(calls).toHaveLength(2);
    expect(calls[1]?.headers.authorization).toBe('Bearer a-token-of-admin');
    expect(await must('lk audit --as admin --json')).not.toContain('a-token-of-admin');
    const records = await must('lk audit --as admin --kind egress.allowed --json');
    expect(records).toContain(`localhost:${served.port}`);

    const words = ['run', 'search', '--as', 'admin', '--project', join(dir, 'project')];
    const running = spawn(process.execPath, [MAIN, ...words], {
      env: tour.environment,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    running.stdin?.write(`${LINES.split('\n')[0]}\n`);
    await once(running.stdout ?? running, 'data');
    const { instances } = JSON.parse(await must('lk ps --json')) as { instances: object[] };
    expect(instances).toEqual([
      expect.objectContaining({ alias: 'search', driver: 'remote', state: 'READY' }),
    ]);
    running.kill('SIGTERM');
    await once(running, 'close');

    served.become(forServer(sharedTls().authority, 'localhost'));
    const renewed = await must('lk run search --as admin < calls.jsonl');
    expect(renewed).toContain('found it');

    expect(tour.json('mcp.lock').lock.servers.search.launch).toMatchObject({
      url: served.url,
      reach: 'private',
    });
    served.become(forServer(sharedTls().authority, 'other.example'));
    const before = served.seen.length;
    const refused = await shell('lk run search --as admin < calls.jsonl');
    expect([refused.exit, refused.stdout]).toEqual([3, expect.stringContaining('TLS_UNTRUSTED')]);
    expect(served.seen).toHaveLength(before);
    const kept = await must('lk audit --as admin --kind egress.refused --json');
    expect(kept).toContain('TLS_UNTRUSTED');
  });
});
