import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { Trust } from '../../registry/trust.ts';
import { trustFiles } from '../../registry/trust-files.ts';
import { openBlobs } from '../../runtime/store/blobs.ts';
import { sha256 } from '../../schemas/json.ts';

const pinning = (trustRoots: Readonly<Record<string, string>>): Pick<Trust, 'current'> => ({
  current: async () =>
    ({ trusted: { root: { trustRoots } } }) as unknown as Awaited<ReturnType<Trust['current']>>,
});

it('takes files with a pinned digest, whatever they are called, and nothing else', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'lockkeeper-trust-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const [good, other] = [Buffer.from('{"a":1}'), Buffer.from('{"b":1}')];
  await writeFile(join(dir, 'anything'), good);
  await writeFile(join(dir, 'npm.json'), other);
  await writeFile(join(dir, 'large'), Buffer.alloc(2 * 1024 * 1024));
  await mkdir(join(dir, 'folder'));
  await symlink('/nowhere', join(dir, 'broken'));
  const pinned = { sigstore: sha256(good), npm: sha256('absent') };
  const blobs = await openBlobs(join(dir, 'blobs'));
  const found = await trustFiles(pinning(pinned), { folder: dir, blobs });
  expect(found).toEqual({ pinned, files: new Map([[sha256(good), good]]), where: dir });
  expect((await trustFiles(pinning({}), { folder: dir, blobs })).files.size).toBe(0);
  const elsewhere = { folder: join(dir, 'gone'), blobs };
  expect((await trustFiles(pinning(pinned), elsewhere)).files.size).toBe(0);
  await blobs.put(good);
  await blobs.put(other);
  expect([...(await trustFiles(pinning(pinned), elsewhere)).files]).toEqual([[sha256(good), good]]);
});
