import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assertKept, assertPolicy, readPolicyFile } from '../../cli/policy-file.ts';
import type { Code } from '../../schemas/errors.ts';
import { type Lock, lockPolicyOf } from '../../schemas/lock.ts';
import { tempDir } from '../helpers/session.ts';
import { makeLock } from '../helpers/trust.ts';

const POLICY = 'everyone: tool forecast of the weather server\n';
const lockWith = (policy: string | null): Lock => ({
  ...makeLock().lock,
  ...(policy === null ? {} : { policy: lockPolicyOf(policy) }),
});
const projectIn = (dir: string) => ({ dir, intentPath: '', lockPath: '' });

describe('a policy file and a lock', () => {
  it.each<[string, string | null, string | null, Code | null]>([
    ['neither has one', null, null, null],
    ['both have the same', POLICY, POLICY, null],
    ['the file differs by one space', `${POLICY} `, POLICY, 'POLICY_DIFFERS'],
    ['only the lock has one', null, POLICY, 'POLICY_DIFFERS'],
    ['only the file is there', POLICY, null, 'POLICY_DIFFERS'],
    ['an empty file is there', '', null, 'POLICY_DIFFERS'],
    ['both are empty', '', '', null],
    [
      'both name a server that is not locked',
      'everyone: the docs server',
      'everyone: the docs server',
      'POLICY_INVALID',
    ],
  ])('%s', async (_, file, locked, code) => {
    const said = assertPolicy(lockWith(locked), file);
    await (code === null
      ? expect(said).resolves.toBeUndefined()
      : expect(said).rejects.toMatchObject({ code }));
  });

  it.each<[string, string | null, string | null, boolean, Code | null]>([
    ['there never was one', null, null, false, null],
    ['it is still there', POLICY, POLICY, false, null],
    ['it is gone', POLICY, null, false, 'POLICY_DROPPED'],
    ['it is gone, and that was said', POLICY, null, true, null],
    ['it is there, and is said to go', POLICY, POLICY, true, 'USAGE'],
  ])('where %s', (_, before, file, drop, code) => {
    const said = (): void => assertKept(lockWith(before), file, drop);
    if (code === null) expect(said).not.toThrow();
    else expect(said).toThrow(expect.objectContaining({ code }));
  });

  it('are read as text of at most 64 KiB', async () => {
    const project = projectIn(tempDir());
    expect(await readPolicyFile(project)).toBeNull();
    const path = join(project.dir, 'lockkeeper.policy');
    writeFileSync(path, POLICY);
    expect(await readPolicyFile(project)).toBe(POLICY);
    writeFileSync(path, Buffer.from([0x61, 0xff]));
    await expect(readPolicyFile(project)).rejects.toMatchObject({ code: 'POLICY_INVALID' });
    writeFileSync(path, 'x'.repeat(64 * 1024 + 1));
    await expect(readPolicyFile(project)).rejects.toMatchObject({ code: 'DOCUMENT_INVALID' });
  });
});
