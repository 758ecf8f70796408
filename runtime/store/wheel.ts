/** Wheels under limits: a zip whose every file is in its own RECORD, with the digest that stands there. */
import { createHash } from 'node:crypto';
import { type LockkeeperError, quote } from '../../schemas/errors.ts';
import { pypiName } from '../../schemas/pypi.ts';
import { UNPACK_LIMITS, type UnpackedFile, type UnpackLimits } from './unpack.ts';
import { refusal, unzip } from './unzip.ts';

/** A wheel as its file name tells: `name-version(-build)?-python-abi-platform.whl`. */
export interface WheelName {
  /** As it is compared: small letters, single dashes. */
  readonly name: string;
  readonly version: string;
  readonly platforms: readonly string[];
}

/** Null for a name that is no wheel's. */
export function wheelName(file: string): WheelName | null {
  const part = '[A-Za-z0-9_.]+';
  const pattern = new RegExp(
    `^([A-Za-z0-9_.]+)-([A-Za-z0-9_.+]+)(?:-[0-9][A-Za-z0-9_.]*)?-${part}-${part}-(${part})[.]whl$`,
  );
  const [, name, version, platforms] = pattern.exec(file) ?? [];
  if (name === undefined || version === undefined || platforms === undefined) return null;
  return { name: pypiName(name), version, platforms: platforms.split('.') };
}

/**
 * All files of a wheel, in memory, by their paths in it. Throws ARCHIVE_HOSTILE for links, paths that leave, paths that
 * collide (also by letter case), broken limits, a RECORD that tells otherwise, and metadata of another package.
 */
export async function readWheel(
  bytes: Buffer,
  file: string,
  limits: UnpackLimits = UNPACK_LIMITS,
): Promise<UnpackedFile[]> {
  const files = await unzip(bytes, { label: file, limits, next: NEXT });
  const own = metadataFolder(file, files);
  assertRecord(file, own, files);
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Where a file of a wheel is laid out below the closure; null for what Lockkeeper leaves out. */
export function placeInTree(path: string): string | null {
  const [, kind, rest] = /^[^/]+\.data\/([^/]+)\/(.+)$/.exec(path) ?? [];
  if (/^[^/]+\.data\//.test(path) && kind !== 'purelib' && kind !== 'platlib') return null;
  return `site-packages/${rest ?? path}`;
}

const NEXT = 'Do not use this package; report it to its index';

function hostile(label: string, expected: string, found: string): LockkeeperError {
  return refusal({ label, next: NEXT }, expected, found);
}

/** The one `.dist-info` folder, which has to be of the package and version that the file name tells. */
function metadataFolder(file: string, files: readonly UnpackedFile[]): string {
  const laid = files.map(({ path }) => placeInTree(path)?.slice('site-packages/'.length) ?? path);
  const folders = new Set(
    laid.flatMap((path) => /^([^/]+\.(?:dist-info|egg-info))(?:\/|$)/.exec(path)?.[1] ?? []),
  );
  const [folder = 'none', ...others] = folders;
  const named = wheelName(file);
  const [, name, version] = /^(.+)-([^-]+)\.dist-info$/.exec(folder) ?? [];
  if (
    others.length > 0 ||
    named === null ||
    pypiName(name ?? '') !== named.name ||
    !same(version, named.version)
  )
    throw hostile(
      file,
      'one .dist-info folder, named like the wheel',
      quote([folder, ...others].join(', '), 200),
    );
  const metadata = textIn(files, `${folder}/METADATA`) ?? '';
  const [head = ''] = metadata.split(/\r?\n\r?\n/);
  const [told, toldVersion] = [fieldIn(head, 'Name'), fieldIn(head, 'Version')];
  if (pypiName(told) !== named.name || !same(toldVersion, named.version))
    throw hostile(file, 'a METADATA of this name and version', quote(`${told} ${toldVersion}`));
  return folder;
}

function same(a: string | undefined, b: string): boolean {
  return a !== undefined && a.replaceAll('_', '-').toLowerCase() === b.replaceAll('_', '-').toLowerCase();
}

/** What metadata says behind a key; `none` where it says nothing. */
export function fieldIn(head: string, key: string): string {
  return new RegExp(`^${key}:(.*)$`, 'im').exec(head)?.[1]?.trim() ?? 'none';
}

export function textIn(files: readonly UnpackedFile[], path: string): string | null {
  return files.find((file) => file.path === path)?.bytes.toString('utf8') ?? null;
}

const UNHASHED = /^(?:RECORD|RECORD\.jws|RECORD\.p7s)$/;
const ALGORITHMS: ReadonlySet<string> = new Set(['sha256', 'sha384', 'sha512']);

/** Every file in RECORD with its digest, and nothing in RECORD that is not there. */
function assertRecord(file: string, folder: string, files: readonly UnpackedFile[]): void {
  const record = textIn(files, `${folder}/RECORD`);
  if (record === null) throw hostile(file, `a ${folder}/RECORD`, 'none');
  const listed = new Map<string, string>();
  for (const [path = '', digest = ''] of rowsOf(record)) {
    if (listed.has(path)) throw hostile(file, 'each path once in RECORD', quote(path));
    listed.set(path, digest);
  }
  for (const { path, bytes } of files) {
    const digest = listed.get(path);
    listed.delete(path);
    if (path.startsWith(`${folder}/`) && UNHASHED.test(path.slice(folder.length + 1))) continue;
    const [, algorithm = '', value] = /^([a-z0-9]+)=([A-Za-z0-9_-]+)=*$/.exec(digest ?? '') ?? [];
    if (!ALGORITHMS.has(algorithm))
      throw hostile(
        file,
        `a digest of ${quote(path)} in RECORD`,
        digest === undefined ? 'no line' : quote(digest),
      );
    if (createHash(algorithm).update(bytes).digest('base64url') !== value)
      throw hostile(file, `${quote(path)} with ${digest}, as RECORD says`, 'other bytes');
  }
  const [missing] = [...listed.keys()].filter((path) => !path.endsWith('/'));
  if (missing !== undefined) throw hostile(file, `${quote(missing)}, which is in RECORD`, 'no such file');
}

/** Lines of comma separated values; a quote inside quotes is doubled. */
function rowsOf(text: string): string[][] {
  return text
    .split(/\r?\n/)
    .filter((line) => line !== '')
    .map((line) =>
      [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain = '']) =>
        quoted === undefined ? plain : quoted.replaceAll('""', '"'),
      ),
    );
}
