import { describe, expect, it } from 'vitest';
import { placeInTree, readWheel, wheelName } from '../../../runtime/store/wheel.ts';
import { LockkeeperError } from '../../../schemas/errors.ts';
import { type WheelSpec, wheelOf, zipOf } from '../../helpers/wheels.ts';

const LIMITS = { maxEntries: 20, maxBytes: 100_000, maxFileBytes: 50_000 };

async function found(spec: Partial<WheelSpec>): Promise<string> {
  const { bytes, file } = wheelOf({ name: 'acme-time', files: { 'acme/__init__.py': 'x = 1\n' }, ...spec });
  return readWheel(bytes, file, LIMITS).then(
    (files) => files.map(({ path }) => path).join(' '),
    (error: unknown) => {
      if (!(error instanceof LockkeeperError) || error.code !== 'ARCHIVE_HOSTILE') throw error;
      return error.message;
    },
  );
}

describe('a wheel', () => {
  it('gives its files, names with commas and other letters among them', async () => {
    expect(await found({ files: { 'acme/a,"b".py': '', 'acme/ü.py': '' } })).toBe(
      'acme/a,"b".py acme/ü.py acme_time-1.0.0.dist-info/METADATA acme_time-1.0.0.dist-info/RECORD acme_time-1.0.0.dist-info/WHEEL',
    );
  });

  const INFO = 'acme_time-1.0.0.dist-info';
  const HOSTILE: Readonly<Record<string, readonly [Partial<WheelSpec>, string]>> = {
    'a path that leaves': [{ files: { '../../etc/cron.d/x': 'x' } }, 'plain paths inside the package'],
    'an absolute path': [{ files: { '/etc/x': 'x' } }, 'plain paths inside the package'],
    'a path of dots': [{ files: { 'acme/./x.py': 'x' } }, 'plain paths inside the package'],
    'a name that is no text': [{ files: { 'acme/\ufffd.py': 'x' } }, 'plain paths inside the package'],
    'a back slash': [{ files: { 'acme\\..\\..\\x': 'x' } }, 'plain paths inside the package'],
    'a path in .data that leaves': [
      { files: { 'acme_time-1.0.0.data/purelib/../../../x.py': 'x' } },
      'plain paths inside the package',
    ],
    'a symbolic link': [
      { entries: [{ path: 'acme/passwd', bytes: '/etc/passwd', mode: 0o120777 }] },
      'only files and folders',
    ],
    'a device': [{ entries: [{ path: 'acme/null', bytes: '', mode: 0o020666 }] }, 'only files and folders'],
    'a name twice': [
      { entries: ['a', 'b'].map((bytes) => ({ path: 'acme/x.py', bytes })), record: (text) => text },
      'each path once',
    ],
    'names that differ by case': [{ files: { 'acme/X.py': '', 'acme/x.py': '' } }, 'each path once'],
    'another name in the local header': [
      { entries: [{ path: 'acme/good.py', bytes: 'x', ownPath: 'acme/evil.py' }] },
      'as the central directory says',
    ],
    'a file larger than promised': [
      { entries: [{ path: 'acme/x.py', bytes: 'x'.repeat(2000), size: 10 }] },
      'unpacks to 10 bytes',
    ],
    'a file that is too large': [{ files: { 'acme/x.bin': '0'.repeat(60_000) } }, 'at most 50000 bytes'],
    'too much together': [
      { files: { 'acme/x': '0'.repeat(49_000), 'acme/y': '0'.repeat(49_000), 'acme/z': '0'.repeat(49_000) } },
      'at most 100000 bytes unpacked',
    ],
    'too many entries': [
      { files: Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`acme/${i}.py`, ''])) },
      'at most 20 entries',
    ],
    'no RECORD': [{ record: () => null }, `a ${INFO}/RECORD`],
    'a file that RECORD leaves out': [
      { record: (text) => text.replace(/^acme\/__init__.*\n/m, '') },
      'a digest of "acme/__init__.py" in RECORD',
    ],
    'a file without a digest': [
      { record: (text) => text.replace(/^(acme\/__init__\.py),.*$/m, '$1,,') },
      'a digest of "acme/__init__.py" in RECORD',
    ],
    'a weak digest': [
      { record: (text) => text.replace('sha256=', 'md5=') },
      'a digest of "acme/__init__.py"',
    ],
    'other bytes than RECORD says': [
      { record: (text) => text.replace(/sha256=...../, 'sha256=AAAAA') },
      'as RECORD says',
    ],
    'a file that is in RECORD alone': [
      { record: (text) => `${text}acme/gone.py,sha256=${'A'.repeat(43)},1\n` },
      'which is in RECORD',
    ],
    'a line twice in RECORD': [
      { record: (text) => `${text}${text.split('\n')[0]}\n` },
      'each path once in RECORD',
    ],
    "another's metadata": [
      { metadata: (text) => text.replace('acme-time', 'evil') },
      'of this name and version',
    ],
    'another version': [{ metadata: (text) => text.replace('1.0.0', '6.6.6') }, 'of this name and version'],
    'a second .dist-info': [
      { files: { 'other-2.0.dist-info/METADATA': 'Name: other\nVersion: 2.0\n' } },
      'one .dist-info folder',
    ],
    'a second .dist-info in .data': [
      { files: { 'acme_time-1.0.0.data/purelib/other-2.0.dist-info/METADATA': 'Name: other\n' } },
      'one .dist-info folder',
    ],
  };
  it.each(Object.entries(HOSTILE))('with %s is refused whole', async (_, [spec, words]) => {
    expect(await found(spec)).toContain(words);
  });

  it('that is cut off, or no zip at all, is refused', async () => {
    const { bytes, file } = wheelOf({ name: 'acme-time' });
    for (const broken of [
      bytes.subarray(0, bytes.length / 2),
      Buffer.from('no zip'),
      Buffer.alloc(0),
      zipOf([]),
    ])
      await expect(readWheel(broken, file)).rejects.toMatchObject({ code: 'ARCHIVE_HOSTILE' });
  });

  it('is named as the index names it', () => {
    expect(wheelName('Acme_Time-1.0.0-1-cp311-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl')).toEqual({
      name: 'acme-time',
      version: '1.0.0',
      platforms: ['manylinux_2_17_x86_64', 'manylinux2014_x86_64'],
    });
    for (const file of [
      'acme-1.0.0.tar.gz',
      'acme.whl',
      '../acme-1-py3-none-any.whl',
      'acme-1-py3-none-any.whl\n',
    ])
      expect(wheelName(file)).toBe(null);
  });

  it('is laid out in site-packages, but for what belongs elsewhere', () => {
    expect(placeInTree('acme/x.py')).toBe('site-packages/acme/x.py');
    expect(placeInTree('acme-1.data/platlib/acme/x.so')).toBe('site-packages/acme/x.so');
    for (const path of [
      'acme-1.data/scripts/x',
      'acme-1.data/data/etc/x',
      'acme-1.data/headers/x.h',
      'acme-1.data/x',
    ])
      expect(placeInTree(path)).toBe(null);
  });
});
