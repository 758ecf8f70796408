/** A revocation as people meet it: `lk revoke` on one machine ends `lk run` on another. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Company } from '../cli/drill/company.ts';
import type { AuditRecord } from '../schemas/audit.ts';
import { type EchoCompany, foundEcho } from './helpers/echo-company.ts';
import { databaseUrl } from './helpers/registry.ts';
import { INITIALIZE } from './helpers/session.ts';

const MAIN = join(import.meta.dirname, '../cli/main.ts');

describe('lk revoke', () => {
  let dir: string;
  let founded: EchoCompany;
  let company: Company;
  const started: ChildProcessWithoutNullStreams[] = [];

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'lk-revoke-'));
    founded = await foundEcho(dir, { database: await databaseUrl() });
    company = founded.company;
    await company.must('erin', 'lock');
  });
  afterAll(async () => {
    for (const child of started) child.kill('SIGKILL');
    await founded?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('ends a session that runs, which says why; the gate refuses; the record says who signed', async () => {
    const env = { ...process.env, LOCKKEEPER_HOME: join(dir, 'machines/erin'), NO_COLOR: '1' };
    const child = spawn(process.execPath, [MAIN, 'run', 'echo'], { cwd: join(dir, 'project'), env });
    started.push(child);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.stdin.on('error', () => undefined);
    child.stdin.write(
      `${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: INITIALIZE })}\n`,
    );
    await expect.poll(() => stdout + stderr).toContain('serverInfo');
    const inside = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ');
    expect(inside[0]).not.toBe('');
    const closed = once(child, 'close') as Promise<[number]>;
    const said = await company.must('alice', 'revoke', 'echo@1.0.0', '--reason', 'posts what it reads');
    expect(said.signed).toBe(true);
    const at = performance.now();
    expect((await closed)[0]).toBe(3);
    // Without the stream it would be asked for every 15 seconds.
    expect(performance.now() - at).toBeLessThan(12_000);
    expect(stderr).toContain('posts what it reads');
    expect(stderr).toContain('[RELEASE_REVOKED]');
    for (const pid of inside) expect(existsSync(`/proc/${pid}`)).toBe(false);

    const gate = await company.lk('erin', 'ci');
    expect([gate.exit, gate.data.code]).toEqual([3, 'RELEASE_REVOKED']);
    expect((await company.lk('erin', 'run', 'echo')).exit).toBe(3);
    const { records } = (await company.must('alice', 'audit', '--kind', 'quarantined')) as unknown as {
      records: AuditRecord[];
    };
    const { body } = records.find((record) => record.body.kind === 'quarantined') ?? {};
    expect(body?.detail).toMatchObject({
      revokedBy: 'alice',
      signedBy: 'alice',
      reason: 'posts what it reads',
    });
  });
});
