/** docs/remote.md, run: a remote server from its address to a record of a call, with every program as it is. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forServer, type Served, serveBoth, sharedTls } from './helpers/remote.ts';
import { clientLines, MAIN, startTour, type Tour } from './helpers/tour.ts';

const ADDRESS = 'https://mcp.acme.example/mcp';

const LINES = clientLines({ name: 'echo', arguments: { text: 'found it' } });

describe('docs/remote.md', () => {
  let tour: Tour;

  beforeAll(async () => {
    tour = await startTour('remote');
  });
  afterAll(() => tour?.close());

  it('works as written, and whoever else answers there is told nothing', async () => {
    const { dir, must, shell } = tour;
    const served: Served = await serveBoth('stateless');
    writeFileSync(join(dir, 'project/company-ca.pem'), sharedTls().authority.cert);
    writeFileSync(join(dir, 'project/calls.jsonl'), LINES);
    await tour.people();
    const of = await tour.follow('docs/remote.md', (line) => must(line.replace(ADDRESS, served.url)));

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
