/** docs/remote.md, run: a remote server from its address to a record of a call, with every program as it is. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forServer, type Served, serveBoth, sharedTls } from './helpers/remote.ts';
import { clientLines, MAIN, shellLines, startTour, type Tour } from './helpers/tour.ts';

const ADDRESS = 'https://mcp.acme.example/mcp';

const lines = shellLines('docs/remote.md');
const LINES = clientLines({ name: 'echo', arguments: { text: 'found it' } });

describe('docs/remote.md', () => {
  let dir: string;
  let tour: Tour | undefined;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'lk-remote-'));
    chmodSync(dir, 0o755);
    mkdirSync(join(dir, 'project'));
    tour = await startTour(dir, { serve: process.env, environment });
  });
  afterAll(async () => {
    await tour?.close();
    if (dir) rmSync(dir, { recursive: true, force: true });
  });

  const environment = (): Record<string, string> => ({
    ...(process.env as Record<string, string>),
    NO_COLOR: '1',
    LOCKKEEPER_HOME: join(dir, 'home'),
  });

  it('works as written, and whoever else answers there is told nothing', async () => {
    const { must, people, shell } = tour as Tour;
    const served: Served = await serveBoth('stateless');
    writeFileSync(join(dir, 'project/company-ca.pem'), sharedTls().authority.cert);
    writeFileSync(join(dir, 'project/calls.jsonl'), LINES);
    await people();
    const said: Record<string, string> = {};
    for (const line of lines) said[line] = await must(line.replace(ADDRESS, served.url));
    const of = (part: string): string => said[lines.find((line) => line.includes(part)) ?? ''] ?? '';

    expect(of('lk review')).toContain(served.url);
    expect(of('lk review')).toContain('its code runs elsewhere');
    expect(of('lk ci')).toContain('is locked, approved and current');
    expect(of('lk run')).toContain('found it');
    expect(of('lk run')).toContain('TOOL_REFUSED');
    expect(of('lk audit')).toContain('run_shell');
    const calls = served.seen.filter(({ body }) => body.includes('tools/call'));
    expect(calls).toHaveLength(1);
    const records = await must('lk audit --as admin --kind egress.allowed --json');
    expect(records).toContain(`localhost:${served.port}`);

    const words = ['run', 'search', '--as', 'admin', '--project', join(dir, 'project')];
    const env = { ...process.env, LOCKKEEPER_HOME: join(dir, 'home') };
    const running = spawn(process.execPath, [MAIN, ...words], { env, stdio: ['pipe', 'pipe', 'ignore'] });
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

    const lock = readFileSync(join(dir, 'project/mcp.lock'), 'utf8');
    expect(JSON.parse(lock).lock.servers.search.launch).toMatchObject({ url: served.url, reach: 'private' });
    served.become(forServer(sharedTls().authority, 'other.example'));
    const before = served.seen.length;
    const refused = await shell('lk run search --as admin < calls.jsonl');
    expect([refused.exit, refused.stdout]).toEqual([3, expect.stringContaining('TLS_UNTRUSTED')]);
    expect(served.seen).toHaveLength(before);
    const kept = await must('lk audit --as admin --kind egress.refused --json');
    expect(kept).toContain('TLS_UNTRUSTED');
  });
});
