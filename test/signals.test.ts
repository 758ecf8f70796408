/** Clients end what they started in their own way: SIGINT, SIGTERM, a closed terminal, or the end of its input. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readJournal, verifyJournal } from '../runtime/journal/read.ts';
import type { AuditBody } from '../schemas/audit.ts';
import type { JsonObject } from '../schemas/common.ts';
import { type Acme, acme, ECHO } from './helpers/acme.ts';
import { httpClient } from './helpers/gateway.ts';
import { INITIALIZE } from './helpers/session.ts';

const MAIN = join(import.meta.dirname, '../cli/main.ts');

interface Started {
  readonly child: ChildProcessWithoutNullStreams;
  said(): string;
}

describe('what a client started', () => {
  let world: Acme;
  const started: ChildProcessWithoutNullStreams[] = [];
  const home = (): string => join(world.dir, 'machines/erin');

  beforeAll(async () => {
    world = await acme();
    writeFileSync(join(world.dir, 'project/lockkeeper.policy'), 'anyone: everything locked\n');
    await world.company.must('erin', 'lock');
  });
  afterAll(async () => {
    for (const child of started) child.kill('SIGKILL');
    await world?.close();
  });

  function start(...words: string[]): Started {
    const env = { ...process.env, LOCKKEEPER_HOME: home(), NO_COLOR: '1' };
    const child = spawn(process.execPath, [MAIN, ...words], { cwd: join(world.dir, 'project'), env });
    started.push(child);
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
    child.stdin.on('error', () => undefined);
    return { child, said: () => text };
  }

  const inside = ({ pid }: ChildProcessWithoutNullStreams): string[] =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);

  /** The sessions that ended since then, from the journal, whose chain holds. */
  async function endsSince(then: string): Promise<AuditBody[]> {
    const journals = join(home(), 'journal');
    await verifyJournal(journals);
    const ended: AuditBody[] = [];
    for await (const { body } of readJournal(journals))
      if (body.kind === 'session.ended' && body.at >= then) ended.push(body);
    return ended;
  }

  async function ends({ child, said }: Started, how: NodeJS.Signals | 'end of input'): Promise<void> {
    const within = inside(child);
    expect(within.length, said()).toBeGreaterThan(0);
    const then = new Date().toISOString();
    const closed = once(child, 'close') as Promise<[number | null, string | null]>;
    if (how === 'end of input') child.stdin.end();
    else child.kill(how);
    expect(await closed, said()).toEqual([0, null]);
    for (const pid of within) expect(existsSync(`/proc/${pid}`)).toBe(false);
    const detail = how === 'end of input' ? 'client closed' : 'stopped';
    expect(await endsSince(then)).toMatchObject([{ outcome: 'ok', detail }]);
  }

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'end of input'] as const)(
    'lk run ends by %s with exit 0, leaves no process, and its record says why',
    async (how) => {
      const running = start('run', 'echo');
      const line = (message: JsonObject): void =>
        void running.child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
      line({ id: 1, method: 'initialize', params: INITIALIZE });
      await expect.poll(running.said).toContain('serverInfo');
      line({ id: 2, ...ECHO });
      await expect.poll(running.said).toContain('"hello"');
      await ends(running, how);
    },
  );

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'lk gateway ends by %s with exit 0 while sessions are open, and leaves no process',
    async (how) => {
      const running = start('gateway', '--listen', '127.0.0.1:0', '--json');
      await expect.poll(running.said).toContain('"servers"');
      const [, first = ''] = /(\{"url".*\})/.exec(running.said()) ?? [];
      const { servers } = JSON.parse(first) as { servers: string[] };
      const client = await httpClient(servers.find((url) => url.includes('echo')) ?? '');
      const answers = await client.request(1, 'tools/call', ECHO.params as JsonObject);
      expect(JSON.stringify(answers)).toContain('hello');
      await ends(running, how);
    },
  );
});
