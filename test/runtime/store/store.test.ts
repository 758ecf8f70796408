import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { pullArtifacts } from '../../../runtime/pull.ts';
import { openBlobs } from '../../../runtime/store/blobs.ts';
import { fitsPlatform, materialise } from '../../../runtime/store/materialise.ts';
import { readTarball, UNPACK_LIMITS } from '../../../runtime/store/unpack.ts';
import { sha256 } from '../../../schemas/json.ts';
import { type Artifact, type Closure, closureDigest } from '../../../schemas/release.ts';
import { tempDir } from '../../helpers/session.ts';
import { type Entry, tarball } from '../../helpers/tarball.ts';

const good: readonly Entry[] = [
  { path: 'package/package.json', text: '{"name":"x"}' },
  { path: 'package/bin/run.js', text: '#!/usr/bin/env node', mode: 0o755 },
];

function closureOf(packages: Readonly<Record<string, Buffer>>, change: Partial<Artifact> = {}): Closure {
  const artifacts = Object.entries(packages).map(
    ([location, bytes]): Artifact => ({
      location,
      purl: `pkg:npm/${location.split('/').at(-1)}@1.0.0`,
      sha256: sha256(bytes),
      sha512: createHash('sha512').update(bytes).digest('hex'),
      size: bytes.length,
      optional: false,
      ...change,
    }),
  );
  return { digest: closureDigest(artifacts), artifacts };
}

describe('unpacking', () => {
  it('gives plain files below the package, in order, with their executable bit', async () => {
    expect((await readTarball(tarball(good), 'x')).map(({ path, executable }) => [path, executable])).toEqual(
      [
        ['bin/run.js', true],
        ['package.json', false],
      ],
    );
  });

  it.each<[string, readonly Entry[]]>([
    ['a path that leaves the folder', [{ path: 'package/../../etc/passwd', text: 'x' }]],
    ['an absolute path', [{ path: '/etc/passwd', text: 'x' }]],
    ['a backslash', [{ path: 'package/a\\..\\b', text: 'x' }]],
    ['a symbolic link', [{ path: 'package/link', type: 'SymbolicLink', linkpath: '/etc' }]],
    ['a hard link', [{ path: 'package/link', type: 'Link', linkpath: '/etc/passwd' }]],
    ['a device', [{ path: 'package/null', type: 'CharacterDevice' }]],
    ['a pipe', [{ path: 'package/pipe', type: 'FIFO' }]],
    ['the same path twice', [...good, { path: 'package/package.json', text: '{}' }]],
    ['paths that differ by letter case', [...good, { path: 'package/Package.json', text: '{}' }]],
    ['a file cut short', [{ path: 'package/x', text: 'abc', size: 100_000 }]],
  ])('refuses %s', async (_name, entries) => {
    await expect(readTarball(tarball(entries), 'x')).rejects.toMatchObject({
      code: 'ARCHIVE_HOSTILE',
      exit: 3,
    });
  });

  it('takes the same bytes under one path as one file', async () => {
    const twice = [...good, ...good];
    expect((await readTarball(tarball(twice), 'x')).map(({ path }) => path)).toEqual([
      'bin/run.js',
      'package.json',
    ]);
  });

  it('refuses bombs, too many entries, files over the limit, and what is no archive', async () => {
    const limits = { ...UNPACK_LIMITS, maxBytes: 1024 * 1024, maxEntries: 3 };
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    const many = tarball(Array.from({ length: 5 }, (_, i) => ({ path: `package/${i}`, text: '' })));
    const big = tarball([{ path: 'package/big', text: 'x'.repeat(2000) }]);
    for (const [bytes, rule] of [
      [bomb, limits],
      [many, limits],
      [big, { ...limits, maxFileBytes: 1000 }],
      [Buffer.from('hello'), limits],
      [gzipSync('hello world'), limits],
    ] as const) {
      await expect(readTarball(bytes, 'x', rule)).rejects.toMatchObject({ code: 'ARCHIVE_HOSTILE' });
    }
  });
});

describe('the blob store', () => {
  it('names bytes by their digest and re-reads what it gives', async () => {
    const blobs = await openBlobs(tempDir());
    const { digest } = await blobs.put(Buffer.from('hello'));
    expect(digest).toBe(sha256('hello'));
    writeFileSync(blobs.path(digest), 'hellO');
    await expect(blobs.get(digest)).rejects.toMatchObject({
      code: 'ARTIFACT_MISMATCH',
      message: expect.stringContaining(digest),
    });
    await blobs.put(Buffer.from('hello'));
    expect((await blobs.get(digest)).toString()).toBe('hello');
    await expect(blobs.get(sha256('other'))).rejects.toMatchObject({ code: 'ARTIFACT_MISSING' });
    await expect(blobs.get('sha256:../../etc')).rejects.toMatchObject({ code: 'ARTIFACT_MISSING' });
  });

  it('takes the same bytes from many at once', async () => {
    const blobs = await openBlobs(tempDir());
    const all = await Promise.all(Array.from({ length: 20 }, () => blobs.put(Buffer.alloc(100_000, 7))));
    expect(new Set(all.map((one) => one.digest)).size).toBe(1);
    expect(readdirSync(join(blobs.dir, readdirSync(blobs.dir)[0] ?? ''))).toHaveLength(1);
  });
});

describe('pulling', () => {
  it('refuses one flipped byte and stores nothing', async () => {
    const dir = tempDir();
    const blobs = await openBlobs(dir);
    const bytes = tarball(good);
    const { artifacts } = closureOf({ 'node_modules/x': bytes });
    const flipped = Buffer.from(bytes);
    flipped[20] = (flipped[20] ?? 0) ^ 1;
    const pull = pullArtifacts(artifacts, blobs, { fetch: async () => flipped, progress: () => undefined });
    await expect(pull).rejects.toMatchObject({ code: 'ARTIFACT_MISMATCH', exit: 3 });
    expect(readdirSync(dir)).toEqual([]);
    expect(
      await pullArtifacts(artifacts, blobs, { fetch: async () => bytes, progress: () => undefined }),
    ).toBe(1);
    expect(
      await pullArtifacts(artifacts, blobs, { fetch: async () => flipped, progress: () => undefined }),
    ).toBe(0);
  });
});

describe('materialising', () => {
  it('lays packages out where the closure says, once, and again when somebody changed the tree', async () => {
    const dir = tempDir();
    const blobs = await openBlobs(join(dir, 'blobs'));
    const packages = {
      'node_modules/x': tarball(good),
      'node_modules/x/node_modules/y': tarball([{ path: 'package/index.js', text: 'y' }]),
    };
    for (const bytes of Object.values(packages)) await blobs.put(bytes);
    const closure = closureOf(packages);
    const first = await materialise(closure, blobs, join(dir, 'trees'));
    expect(first.built).toBe(true);
    expect(readFileSync(join(first.appDir, 'node_modules/x/node_modules/y/index.js'), 'utf8')).toBe('y');
    expect((await materialise(closure, blobs, join(dir, 'trees'))).built).toBe(false);
    for (const harm of [
      () => writeFileSync(join(first.appDir, 'node_modules/x/package.json'), '{"evil":1}'),
      () => writeFileSync(join(first.appDir, 'node_modules/extra.js'), ''),
      () => rmSync(join(first.appDir, 'node_modules/x/bin'), { recursive: true }),
    ]) {
      harm();
      expect((await materialise(closure, blobs, join(dir, 'trees'))).built).toBe(true);
      expect(readFileSync(join(first.appDir, 'node_modules/x/package.json'), 'utf8')).toBe('{"name":"x"}');
      expect(existsSync(join(first.appDir, 'node_modules/extra.js'))).toBe(false);
    }
  });

  it('refuses a damaged artifact, a missing one, and a digest that is not the closure’s', async () => {
    const dir = tempDir();
    const blobs = await openBlobs(join(dir, 'blobs'));
    const closure = closureOf({ 'node_modules/x': tarball(good) });
    await expect(materialise(closure, blobs, dir)).rejects.toMatchObject({ code: 'ARTIFACT_MISSING' });
    const { digest } = await blobs.put(tarball(good));
    writeFileSync(blobs.path(digest), 'other');
    await expect(materialise(closure, blobs, dir)).rejects.toMatchObject({ code: 'ARTIFACT_MISMATCH' });
    await expect(materialise({ ...closure, digest: sha256('x') }, blobs, dir)).rejects.toMatchObject({
      code: 'ARTIFACT_MISMATCH',
    });
    expect(readdirSync(dir)).toEqual(['blobs']);
  });

  it('leaves out what is optional and for another platform; refuses what is required', async () => {
    const dir = tempDir();
    mkdirSync(join(dir, 't'));
    const blobs = await openBlobs(join(dir, 'blobs'));
    const bytes = tarball(good);
    await blobs.put(bytes);
    const foreign = closureOf({ 'node_modules/x': bytes }, { os: ['win32'] });
    await expect(materialise(foreign, blobs, join(dir, 't'))).rejects.toMatchObject({
      code: 'CLOSURE_INCOMPLETE',
    });
    const optional = closureOf({ 'node_modules/x': bytes }, { os: ['win32'], optional: true });
    const { appDir } = await materialise(optional, blobs, join(dir, 't'));
    expect(readdirSync(appDir)).toEqual([]);
    expect([
      fitsPlatform({ os: ['!linux'] }, 'linux'),
      fitsPlatform({ os: ['!win32'] }, 'linux'),
      fitsPlatform({ cpu: ['arm64'] }, 'linux', 'x64'),
    ]).toEqual([false, true, false]);
  });
});
