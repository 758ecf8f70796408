import { brotliCompressSync, gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readTarball, UNPACK_LIMITS, type UnpackLimits } from '../../../runtime/store/unpack.ts';
import { type Entry, tarball } from '../../helpers/tarball.ts';

const files = (n: number, text: string): Entry[] =>
  Array.from({ length: n }, (_, i) => ({ path: `package/${i}`, text }));
/** A file whose path is longer than the header of a file can hold. */
function long(path: string): Entry[] {
  const rest = ` path=${path}\n`;
  const length = rest.length + String(rest.length + 4).length;
  return [{ path: 'pax', type: 'ExtendedHeader', text: `${length}${rest}` }, { path: 'package/x' }];
}
const only = (change: Partial<UnpackLimits>): UnpackLimits => ({ ...UNPACK_LIMITS, ...change });

describe('what is unpacked', () => {
  it.each<[string, readonly Entry[], Partial<UnpackLimits>]>([
    ['entries', files(3, ''), { maxEntries: 3 }],
    ['bytes of one file', files(3, 'x'.repeat(1000)), { maxFileBytes: 1000 }],
    ['bytes of all files', files(3, 'x'.repeat(1000)), { maxBytes: 3000 }],
  ])('holds as many %s as it may', async (_, entries, limits) => {
    expect(await readTarball(tarball(entries), 'x', only(limits))).toHaveLength(3);
  });

  it.each<[string, RegExp, readonly Entry[], Partial<UnpackLimits>]>([
    [
      'entries, folders too',
      /at most 3 entries/,
      [...files(3, ''), { path: 'package/d', type: 'Directory' }],
      { maxEntries: 3 },
    ],
    ['bytes of one file', /files of at most 999 bytes/, files(3, 'x'.repeat(1000)), { maxFileBytes: 999 }],
    ['bytes of all files', /, 2999 together/, files(3, 'x'.repeat(1000)), { maxBytes: 2999 }],
    [
      'links',
      /only files and folders; found SymbolicLink/,
      [{ path: 'package/a', type: 'SymbolicLink', linkpath: 'b' }],
      {},
    ],
    [
      'hard links',
      /only files and folders; found Link/,
      [{ path: 'package/a', type: 'Link', linkpath: 'package/b' }],
      {},
    ],
    [
      'devices',
      /only files and folders; found CharacterDevice/,
      [{ path: 'package/a', type: 'CharacterDevice' }],
      {},
    ],
    ['pipes', /only files and folders; found FIFO/, [{ path: 'package/a', type: 'FIFO' }], {}],
    ['parents', /leaves the folder/, [{ path: 'package/a/../../../x' }], {}],
    ['absolute paths', /absolute/, [{ path: '/x/y' }], {}],
    ['backslashes', /NUL or backslash/, [{ path: 'package/a\\b' }], {}],
    ['files without a name', /names no file/, [{ path: 'package' }], {}],
    ['files named like their folder', /names no file/, [{ path: 'package/.' }], {}],
    ['names that no file system takes', /too long/, long(`package/${'a'.repeat(256)}`), {}],
    ['paths over 1024 characters', /too long/, long(`package/${'a/'.repeat(512)}a`), {}],
    [
      'two files of one path',
      /each path once; found ".*twice, with other bytes/,
      [
        { path: 'package/a', text: '1' },
        { path: 'package/a', text: '2' },
      ],
      {},
    ],
    [
      'two paths of one spelling',
      /each path once; found ".*" and "/,
      [{ path: 'package/a' }, { path: 'package/A' }],
      {},
    ],
  ])('has no more, and no other: %s', async (_, sentence, entries, limits) => {
    await expect(readTarball(tarball(entries), 'x', only(limits))).rejects.toMatchObject({
      code: 'ARCHIVE_HOSTILE',
      message: expect.stringMatching(sentence),
    });
  });

  it.each<[string, (tar: Buffer) => Buffer]>([
    ['gzip', (tar) => gzipSync(gzipSync(tar))],
    ['zstd', (tar) => gzipSync(zstdCompressSync(tar))],
    ['brotli', (tar) => gzipSync(brotliCompressSync(tar))],
  ])('is packed once: a %s within is not unpacked, however small it is', async (_, pack) => {
    const archive = pack(gunzipSync(tarball([{ path: 'package/a', text: 'x' }])));
    await expect(readTarball(archive, 'x')).rejects.toMatchObject({ code: 'ARCHIVE_HOSTILE' });
  });

  it('is not read past what breaks a limit', async () => {
    // A file of one gigabyte, whose header says so, before a gigabyte of zeros that would follow it.
    const archive = gzipSync(
      Buffer.concat([
        gunzipSync(tarball([{ path: 'package/a', size: 1024 ** 3 }])).subarray(0, 512),
        Buffer.alloc(128 * 1024 ** 2),
      ]),
    );
    const before = process.memoryUsage().arrayBuffers;
    await expect(readTarball(archive, 'x')).rejects.toMatchObject({ code: 'ARCHIVE_HOSTILE' });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * 1024 ** 2);
  });

  it('has names that are text', async () => {
    const tar = gunzipSync(tarball([{ path: 'package/abcd', text: 'x' }]));
    tar[8] = 0xff;
    tar.write('        ', 148, 'latin1');
    const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0);
    tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    await expect(readTarball(gzipSync(tar), 'x')).rejects.toMatchObject({
      code: 'ARCHIVE_HOSTILE',
      message: expect.stringContaining('not text'),
    });
  });

  it('is inflated no further than its limits could need', async () => {
    const bomb = gzipSync(Buffer.alloc(4 * 1024 * 1024));
    await expect(readTarball(bomb, 'x', only({ maxBytes: 1000, maxEntries: 10 }))).rejects.toMatchObject({
      code: 'ARCHIVE_HOSTILE',
      message: expect.stringContaining('a gzip of at most 1000 bytes unpacked; found more than that'),
    });
  });
});
