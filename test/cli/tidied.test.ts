/** What an interrupted scan leaves behind: nothing but what it fetched. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { tidied } from '../../cli/tidied.ts';

const MAIN = join(import.meta.dirname, '../../cli/main.ts');

it.each(['SIGINT', 'SIGTERM'] as const)(
  'a scan that %s ends leaves no folder, and says nothing',
  async (signal) => {
    const dir = mkdtempSync(join(tmpdir(), 'lk-test-'));
    // A package registry that never answers.
    const silent = createServer();
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const registry = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/`;
    const env = { ...process.env, LOCKKEEPER_HOME: dir, npm_config_registry: registry };
    const child = spawn(process.execPath, [MAIN, 'scan', 'npm:@acme/server@1.0.0'], { env });
    const said: Buffer[] = [];
    child.stdout.on('data', (bytes: Buffer) => said.push(bytes));
    child.stderr.on('data', (bytes: Buffer) => said.push(bytes));
    const closed = once(child, 'close');
    await once(silent, 'request');
    const scans = (): string[] => readdirSync(join(dir, 'store')).filter((name) => name.startsWith('scan-'));
    expect(scans()).toHaveLength(1);
    // As npm forwards what a terminal sent.
    child.kill(signal);
    child.kill(signal);
    expect((await closed)[0]).toBe(signal === 'SIGINT' ? 130 : 143);
    expect(scans()).toEqual([]);
    expect(Buffer.concat(said).toString()).toBe('');
    silent.closeAllConnections();
    silent.close();
    rmSync(dir, { recursive: true });
  },
);

it('ends once where the work failed, and where it did not', async () => {
  const ended: string[] = [];
  const end = (word: string) => async () => void ended.push(word);
  await expect(tidied(() => Promise.reject(new Error('no')), end('failed'))).rejects.toThrow('no');
  expect(await tidied(async () => 7, end('done'))).toBe(7);
  expect(ended).toEqual(['failed', 'done']);
  expect(process.listenerCount('SIGHUP')).toBe(0);
});
