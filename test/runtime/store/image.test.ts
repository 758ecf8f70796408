import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { openBlobs } from '../../../runtime/store/blobs.ts';
import { type Budget, IMAGE_LIMITS } from '../../../runtime/store/image/layer.ts';
import { imageParts, readTree } from '../../../runtime/store/image/read.ts';
import { openTree } from '../../../runtime/store/image/tree.ts';
import { materialise } from '../../../runtime/store/materialise.ts';
import { LockkeeperError } from '../../../schemas/errors.ts';
import { closureDigest } from '../../../schemas/release.ts';
import {
  blobOf,
  closureOf,
  GZIP,
  type ImageSpec,
  imageOf,
  type Layer,
  type LayerFile,
  layerOf,
  PLAIN,
  tarOf,
  ZSTD,
} from '../../helpers/image.ts';
import { openDir } from '../../helpers/sandbox.ts';
import { processorMs } from '../../helpers/wait.ts';

async function laid(spec: ImageSpec, limits: Partial<Budget> = {}) {
  const dir = openDir();
  const blobs = await openBlobs(join(dir, 'blobs'));
  const { closure } = await closureOf(imageOf(spec), blobs);
  const parts = await imageParts(closure.artifacts, blobs);
  const { notes } = await readTree(parts, { blobs, limits: { ...IMAGE_LIMITS, ...limits } });
  const trees = join(dir, 'trees');
  const { appDir } = await materialise(closure, blobs, trees);
  return { appDir, notes, closure, blobs, trees, dir };
}

/** `path` or `path -> target` of everything below a folder. */
function listed(dir: string, below = ''): string[] {
  return readdirSync(join(dir, below), { withFileTypes: true }).flatMap((entry) => {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isSymbolicLink()) return [`${path} -> ${readlinkSync(join(dir, path))}`];
    if (!entry.isDirectory()) return [path];
    const inside = listed(dir, path);
    return inside.length > 0 ? inside : [`${path}/`];
  });
}

const file = (path: string, content = 'x', more: Partial<LayerFile> = {}): LayerFile => ({
  path,
  content,
  ...more,
});
const folder = (path: string): LayerFile => ({ path, type: 'Directory', mode: 0o755 });
const link = (path: string, target: string): LayerFile => ({ path, type: 'SymbolicLink', target });
const hard = (path: string, target: string): LayerFile => ({ path, type: 'Link', target });

const TREES: Readonly<Record<string, readonly [readonly LayerFile[][], readonly string[]]>> = {
  'a file over another': [[[file('a/b', 'old')], [file('a/b', 'new')]], ['a/b']],
  'a whited out file': [[[file('a/b'), file('a/c')], [file('a/.wh.b')]], ['a/c']],
  'a whited out folder': [[[file('a/b/c'), file('a/d')], [file('a/.wh.b')]], ['a/d']],
  'a folder emptied': [
    [
      [file('a/b'), file('a/c/d')],
      [folder('a'), file('a/.wh..wh..opq'), file('a/e')],
    ],
    ['a/e'],
  ],
  'a folder emptied after what the same layer puts there': [
    [[file('a/b')], [file('a/e'), file('a/.wh..wh..opq')]],
    ['a/e'],
  ],
  'a whiteout of what the same layer has': [[[file('a/b')], [file('a/b', 'new'), file('a/.wh.b')]], ['a/b']],
  'a folder whited out and made again with less': [
    [
      [file('a/b'), file('a/c')],
      [file('.wh.a'), file('a/c', 'new')],
    ],
    ['a/c'],
  ],
  'a whiteout of nothing': [[[file('a')], [file('.wh.b'), file('x/.wh.y')]], ['a']],
  'bookkeeping of another tool': [[[file('a'), file('.wh..wh.plnk'), file('.wh..wh.aufs')]], ['a']],
  'a file over a folder': [[[file('a/b')], [file('a')]], ['a']],
  'a folder over a file': [[[file('a')], [file('a/', '', { type: 'Directory' }), file('a/b')]], ['a/b']],
  'a folder over a link': [
    [
      [folder('c'), link('a', 'c')],
      [folder('a'), file('a/b')],
    ],
    ['a/b', 'c/'],
  ],
  'a file through a link to a folder': [
    [[folder('usr/lib'), link('lib', 'usr/lib')], [file('lib/b')]],
    ['lib -> usr/lib', 'usr/lib/b'],
  ],
  'a file through a link to the root': [[[link('up', '/'), file('up/b')]], ['b', 'up -> /']],
  'a whiteout through a link': [
    [[file('usr/b'), file('usr/c'), link('lib', 'usr')], [file('lib/.wh.b')]],
    ['lib -> usr', 'usr/c'],
  ],
  'a link to nowhere': [[[link('out', '/dev/stdout')]], ['out -> /dev/stdout']],
  'hard links': [
    [[file('a'), hard('b', 'a')], [hard('c', 'b')]],
    ['a', 'b', 'c'],
  ],
  'names with a dot and a slash before them': [[[file('./a'), file('/b')]], ['a', 'b']],
  'a device in /dev': [[[{ path: 'dev/null', type: 'CharacterDevice' }, file('a')]], ['a']],
  'names that do not fit into a header': [
    [[file(`${'d/'.repeat(100)}${'n'.repeat(120)}`)]],
    [`${'d/'.repeat(100)}${'n'.repeat(120)}`],
  ],
};

describe('an image laid out', () => {
  it.each(Object.entries(TREES))('%s', async (_, [layers, expected]) => {
    const { appDir } = await laid({ layers: layers.map((one) => layerOf(long(one))) });
    expect(listed(appDir).sort()).toEqual([...expected].sort());
  });

  it.each([GZIP, ZSTD, PLAIN])('of %s', async (type) => {
    const { appDir } = await laid({ layers: [layerOf([file('a', 'content')], type)] });
    expect(readFileSync(join(appDir, 'a'), 'utf8')).toBe('content');
  });

  it('keeps what can be executed and no bit more, and has the newest content', async () => {
    const layers = [
      layerOf([file('a', 'old'), file('run', '#!', { mode: 0o6711 }), file('secret', 's', { mode: 0o600 })]),
      layerOf([file('a', 'new'), hard('also', 'run')]),
    ];
    const { appDir, notes } = await laid({
      layers,
      config: { WorkingDir: '/srv/here', Volumes: { '/data': {} } },
    });
    expect(readFileSync(join(appDir, 'a'), 'utf8')).toBe('new');
    const modes = ['a', 'run', 'secret', 'also', 'srv/here', 'data'].map(
      (name) => lstatSync(join(appDir, name)).mode & 0o7777,
    );
    expect(modes).toEqual([0o644, 0o755, 0o644, 0o755, 0o755, 0o755]);
    expect(lstatSync(join(appDir, 'also')).ino).toBe(lstatSync(join(appDir, 'run')).ino);
    expect(notes).toMatchObject({ setuid: ['run'], files: 4, devices: [] });
  });

  it('is made anew where it was changed: a file, a link, an empty folder', async () => {
    const { appDir, closure, blobs, trees } = await laid({
      layers: [layerOf([file('a'), link('l', 'a'), folder('e')])],
    });
    const again = (): ReturnType<typeof materialise> => materialise(closure, blobs, trees);
    expect((await again()).built).toBe(false);
    writeFileSync(join(appDir, 'a'), 'evil');
    expect((await again()).built).toBe(true);
    expect(readFileSync(join(appDir, 'a'), 'utf8')).toBe('x');
    mkdirSync(join(appDir, 'more'));
    expect((await again()).built).toBe(true);
    writeFileSync(join(appDir, 'e/more'), 'evil');
    expect((await again()).built).toBe(true);
    expect(listed(appDir).sort()).toEqual(['a', 'e/', 'l -> a']);
    expect(readdirSync(trees)).toHaveLength(1);
  });
});

/** What is longer than a header gets an entry of its own before it. */
function long(files: readonly LayerFile[]): LayerFile[] {
  return files.flatMap((one) => {
    if (one.path.length <= 100) return [one];
    const record = (length: number): string => `${length} path=${one.path}\n`;
    let length = record(0).length;
    while (record(length).length !== length) length = record(length).length;
    return [
      { path: 'pax', type: 'ExtendedHeader' as const, content: record(length) },
      { ...one, path: 'short' },
    ];
  });
}

const bomb = layerOf(tarOf([file('zeros', Buffer.alloc(4 * 1024 * 1024).toString('latin1'))]));
const cut = tarOf([file('a', 'x'.repeat(5000))]).subarray(0, 2000);

const HOSTILE: Readonly<
  Record<string, readonly [Partial<ImageSpec> & { readonly layers: readonly Layer[] }, string]>
> = {
  'a path that leaves the root': [
    { layers: [layerOf([file('a/../../b')])] },
    'paths inside the image.*leaves',
  ],
  'a link that leaves the root': [
    { layers: [layerOf([link('a/b', '../../etc')])] },
    'links inside the image',
  ],
  'a hard link to nothing': [{ layers: [layerOf([hard('a', 'etc/passwd')])] }, 'a hard link to a file'],
  'a hard link to a folder': [{ layers: [layerOf([folder('d'), hard('a', 'd')])] }, 'a hard link to a file'],
  'a hard link that leaves': [{ layers: [layerOf([hard('a', '../../etc/passwd')])] }, 'leaves the root'],
  'links in a circle': [
    { layers: [layerOf([link('a', 'b'), link('b', 'a'), file('a/c')])] },
    'links that end',
  ],
  'a file below a file': [{ layers: [layerOf([file('a'), file('a/b')])] }, 'below a file'],
  'a device outside of /dev': [
    { layers: [layerOf([{ path: 'etc/disk', type: 'CharacterDevice' }])] },
    'without devices',
  ],
  'a pipe': [{ layers: [layerOf([{ path: 'srv/pipe', type: 'FIFO' }])] }, 'without devices'],
  'a folder of the sandbox itself': [
    { layers: [layerOf([file('lockkeeper/gate/sh')])] },
    'the sandbox itself',
  ],
  'a name that is no text': [{ layers: [layerOf(renamed(tarOf([file('abcd')])))] }, 'not text'],
  'a tar that ends too soon': [{ layers: [layerOf(cut)] }, 'whole tar archive.*within an entry'],
  'no tar at all': [{ layers: [layerOf(Buffer.from('x'.repeat(2048)))] }, 'whole tar archive.*checksum'],
  'a gzip within a gzip': [{ layers: [layerOf(gzipSync(tarOf([file('a')])))] }, 'whole tar archive'],
  'a layer that is not packed as it says': [
    { layers: [{ ...blobOf(tarOf([file('a')]), GZIP), diffId: layerOf([file('a')]).diffId }] },
    'whole tar archive',
  ],
  'an empty layer that says it is gzip': [
    { layers: [{ ...blobOf(Buffer.from('x'), GZIP), diffId: bomb.diffId }] },
    'whole tar archive',
  ],
  'a sparse file': [
    {
      layers: [
        layerOf([{ path: 'pax', type: 'ExtendedHeader', content: '22 GNU.sparse.major=1\n' }, file('a')]),
      ],
    },
    'a sparse file',
  ],
  'an extended header that lies': [
    { layers: [layerOf([{ path: 'pax', type: 'ExtendedHeader', content: '99 path=b\n' }, file('a')])] },
    'an extended header',
  ],
  'a media type that is not known': [
    { layers: [{ ...bomb, mediaType: 'application/x-tar' }] },
    'a layer of application',
  ],
  'a layer elsewhere': [
    { layers: [bomb], manifest: { layers: [{ ...named(bomb), urls: ['https://a.example/x'] }] } },
    'in the registry itself',
  ],
  'a foreign layer': [
    { layers: [{ ...bomb, mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip' }] },
    'a layer of application',
  ],
  'more layers than an image may have': [
    { layers: Array.from({ length: 129 }, () => bomb) },
    '1 to 128 layers',
  ],
  'no layers': [{ layers: [] }, '1 to 128 layers'],
  'a config that tells of fewer layers': [
    { layers: [bomb, bomb], diffIds: [bomb.diffId] },
    'a config that tells of 2 layers',
  ],
  'a manifest that is an index as well': [
    { layers: [bomb], manifest: { manifests: [] } },
    'an index and a manifest at once',
  ],
  'an older schema': [{ layers: [bomb], manifest: { schemaVersion: 1 } }, 'schema version 2'],
  'a config of another kind': [
    {
      layers: [bomb],
      manifest: { config: { ...named(bomb), mediaType: 'application/vnd.wasm.config.v1+json' } },
    },
    'the config of an image',
  ],
  'a size that is none': [
    { layers: [bomb], manifest: { layers: [{ ...named(bomb), size: -1 }] } },
    'with its size',
  ],
};

function named({ mediaType, digest, size }: Layer) {
  return { mediaType, digest, size };
}

/** With a byte in its name that is no UTF-8, and the checksum for it. */
function renamed(tar: Buffer): Buffer {
  tar[0] = 0xff;
  tar.write('        ', 148, 'latin1');
  const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return tar;
}

async function refusal(promise: Promise<unknown>): Promise<LockkeeperError> {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof LockkeeperError) return error;
  throw error ?? new Error('it did not refuse');
}

describe('an image is refused for', () => {
  it.each(Object.entries(HOSTILE))('%s', async (_, [spec, words]) => {
    const dir = openDir();
    const blobs = await openBlobs(join(dir, 'blobs'));
    const { closure } = await closureOf(imageOf(spec), blobs);
    const { code, message } = await refusal(materialise(closure, blobs, join(dir, 'trees')));
    expect(code).toBe('ARCHIVE_HOSTILE');
    expect(message).toMatch(new RegExp(words));
    expect(readdirSync(join(dir, 'trees'))).toEqual([]);
  });

  it.each([
    ['bytes', { bytes: 1024 * 1024 }, 'may unpack to'],
    ['files', { entries: 2 }, 'as many files'],
    ['bytes of one file', { fileBytes: 10_000 }, 'files of at most 10000 bytes'],
  ] as const)('too many %s, before they are unpacked', async (_, limits, words) => {
    const layers = [layerOf([file('a'), file('b')]), bomb];
    const { code, message } = await refusal(laid({ layers }, limits));
    expect(code).toBe('ARCHIVE_HOSTILE');
    expect(message).toContain(words);
  });

  it('more folders than an image may have, however few its files are', async () => {
    const deep = Array.from({ length: 150 }, (_, index) => `p${index}`);
    const tree = openTree();
    expect(() => {
      for (let index = 0; ; index++) tree.folder([`a${index}`, ...deep], 1);
    }).toThrow(/at most 1000000 folders/);
  });

  it('a folder emptied a hundred thousand times over as many files does not take all day', () => {
    const tree = openTree();
    for (let index = 0; index < 100_000; index++)
      tree.put(['a', `f${index}`], { kind: 'file', executable: false, size: 0, content: index, layer: 1 });
    const spent = processorMs();
    for (let index = 0; index < 100_000; index++) tree.empty(['a'], 1);
    expect(spent()).toBeLessThan(5000);
    expect(tree.folder(['a'], 1).children.size).toBe(100_000);
  });

  it('a layer with another content than the config says', async () => {
    const { code, expected } = await refusal(
      laid({ layers: [layerOf([file('a')])], diffIds: [bomb.diffId] }),
    );
    expect([code, expected]).toEqual([
      'ARTIFACT_MISMATCH',
      `layer 1 of 1 to unpack to ${bomb.diffId}, as the config of the image says`,
    ]);
  });

  it('layers in another order than the manifest has them, or one more', async () => {
    const layers = [layerOf([file('a')]), layerOf([file('b')])];
    const { closure, blobs, trees } = await laid({ layers });
    const [first, second] = closure.artifacts.filter(({ location }) => location.startsWith('oci/layers/'));
    if (!first || !second) throw new Error('no layers');
    const rest = closure.artifacts.filter((one) => one !== first && one !== second);
    const swapped = [
      ...rest,
      { ...first, location: second.location },
      { ...second, location: first.location },
    ];
    const more = [...closure.artifacts, { ...first, location: 'oci/layers/002' }];
    for (const artifacts of [swapped, more, [...rest, first]]) {
      const changed = { artifacts, digest: closureDigest(artifacts) };
      expect(await refusal(materialise(changed, blobs, trees))).toMatchObject({ code: 'ARTIFACT_MISMATCH' });
    }
    expect(readdirSync(trees)).toHaveLength(1);
  });

  it('another platform', async () => {
    const { closure, blobs, trees } = await laid({ layers: [layerOf([file('a')])] });
    const artifacts = closure.artifacts.map((one) => ({ ...one, os: ['linux'], cpu: ['s390x'] }));
    const other = { artifacts, digest: closureDigest(artifacts) };
    expect(await refusal(materialise(other, blobs, trees))).toMatchObject({ code: 'CLOSURE_INCOMPLETE' });
  });
});
