import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openJournal } from '../../../runtime/journal/journal.ts';
import { readJournal } from '../../../runtime/journal/read.ts';
import { readLines } from '../../../runtime/wire/lines.ts';
import { openDir } from '../../helpers/sandbox.ts';
import { until } from '../../helpers/wait.ts';

const RUNTIME = join(import.meta.dirname, '../../helpers/runtime-process.ts');

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe('kill -9 of the runtime in the middle of 1,000 calls', () => {
  it('leaves no forwarded call without its record, no orphan, and a chain that verifies', async () => {
    const dir = openDir();
    const child = spawn(process.execPath, [RUNTIME, dir], { stdio: ['pipe', 'pipe', 'inherit'] });
    const line = (message: object): string => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`;
    let next = 1;
    const call = (): void => {
      if (next > 1000) return;
      const params = { name: 'echo', arguments: { message: `call ${next}` } };
      child.stdin.write(line({ id: next++, method: 'tools/call', params }));
    };
    let greeted = false;
    let results = 0;
    let refused = '';
    readLines(child.stdout, 1e6, {
      line: (bytes) => {
        const answer = JSON.parse(bytes.toString()) as { id: number; result?: object };
        if (answer.id === 0) greeted = true;
        else if (answer.result) results++;
        else refused ||= bytes.toString();
        if (answer.id !== 0) call();
      },
      end: () => undefined,
      error: () => undefined,
    });
    child.stdin.on('error', () => undefined);
    const hello = {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 't', version: '1' },
    };
    child.stdin.write(line({ id: 0, method: 'initialize', params: hello }));
    await until(() => greeted);
    for (let i = 0; i < 64; i++) call();
    await until(() => results >= 150);
    expect(refused).toBe('');
    const inside = Number(readFileSync(join(dir, 'pid'), 'utf8'));
    child.kill('SIGKILL');
    await once(child, 'close');
    await until(() => !alive(inside));
    expect(alive(inside)).toBe(false);

    const log = join(dir, 'mount/calls');
    expect(existsSync(log)).toBe(true);
    const seen = readFileSync(log, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map(
        (entry) => (JSON.parse(entry) as { call: { arguments: { message: string } } }).call.arguments.message,
      );
    expect(seen.length).toBeGreaterThanOrEqual(150);
    expect(seen.length).toBeLessThan(1000);
    const journal = await openJournal(join(dir, 'journal'));
    await journal.close();
    const recorded = new Set<string>();
    for await (const { body } of readJournal(join(dir, 'journal'))) {
      if (body.kind === 'request.forwarded') recorded.add((body.arguments as { message: string }).message);
    }
    expect(seen.filter((message) => !recorded.has(message))).toEqual([]);
  });
});
