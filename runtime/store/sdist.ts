/** Source archives of Python packages under limits: one folder, whose PKG-INFO says what the file name says. */
import { quote } from '../../schemas/errors.ts';
import { pypiName } from '../../schemas/pypi.ts';
import { readTarball, type UnpackedFile, type UnpackLimits } from './unpack.ts';
import { refusal, unzip } from './unzip.ts';
import { fieldIn, textIn } from './wheel.ts';

/** Less than of packages that run: all of it is copied once more where it is built. */
const SDIST_LIMITS: UnpackLimits = {
  maxEntries: 20_000,
  maxBytes: 192 * 1024 ** 2,
  maxFileBytes: 64 * 1024 ** 2,
};
const NEXT = 'Do not use this package; report it to its index';

/**
 * All files of a `.tar.gz` or `.zip`, by their paths below its folder. Throws ARCHIVE_HOSTILE for links, paths that leave or
 * collide, broken limits, and metadata of another package.
 */
export async function readSdist(bytes: Buffer, file: string): Promise<UnpackedFile[]> {
  const files = file.endsWith('.zip')
    ? await unzipped(bytes, file, SDIST_LIMITS)
    : await readTarball(bytes, file, SDIST_LIMITS);
  const info = textIn(files, 'PKG-INFO');
  if (info === null) throw refusal({ label: file, next: NEXT }, 'a PKG-INFO in its one folder', 'none');
  const [head = ''] = info.split(/\r?\n\r?\n/);
  const name = fieldIn(head, 'Name');
  if (pypiName(file.slice(0, file.lastIndexOf('-'))) === pypiName(name)) return files;
  throw refusal(
    { label: file, next: NEXT },
    'a PKG-INFO of this package',
    quote(`${name} ${fieldIn(head, 'Version')}`),
  );
}

async function unzipped(bytes: Buffer, file: string, limits: UnpackLimits): Promise<UnpackedFile[]> {
  const all = await unzip(bytes, { label: file, limits, next: NEXT });
  const tops = new Set(all.map(({ path }) => path.split('/')[0]));
  if (tops.size !== 1) throw refusal({ label: file, next: NEXT }, 'one folder', `${tops.size} at its top`);
  return all.map((one) => ({ ...one, path: one.path.slice(one.path.indexOf('/') + 1) }));
}
