/** Packages of a Python package index: how they are named, and which Python their closure was resolved for. */
import { Closed } from './common.ts';
import { LockkeeperError, quote } from './errors.ts';
import { type Static, Type } from './type.ts';

/** Where a wheel stands in a closure: its own file name, which says for which Python it is. */
export const WHEEL_FOLDER = 'wheels/';
export const WHEEL_LOCATION = `${WHEEL_FOLDER}[A-Za-z0-9_.+-]+[.]whl`;

/** Where the source archive stands that a wheel was built from: in no closure that runs. */
export const SDIST_FOLDER = 'sdists/';
export const SDIST_LOCATION = `${SDIST_FOLDER}[A-Za-z0-9_.+-]+[.](?:tar[.]gz|zip)`;

export function isSdist({ location }: { readonly location: string }): boolean {
  return location.startsWith(SDIST_FOLDER);
}

export function isWheel({ location }: { readonly location: string }): boolean {
  return location.startsWith(WHEEL_FOLDER);
}

const NAME = '[a-z0-9]+(?:-[a-z0-9]+)*';
const NUMBERS = '[0-9]+(?:[.][0-9]+){0,2}';

export const PypiSource = Type.String({
  pattern: `^pypi:${NAME}@${NUMBERS}(?:(?:a|b|rc)[0-9]+)?$`,
  description: 'pypi:NAME@VERSION with one exact version',
  maxLength: 400,
});

/** The Python that a closure was resolved for. Another minor version or ABI would need other wheels. */
export const PythonTarget = Closed({
  version: Type.String({ pattern: '^3[.][0-9]{1,3}$', description: 'the minor version, such as 3.11' }),
  abi: Type.String({
    pattern: '^[a-z0-9_-]{1,100}$',
    description: 'as the interpreter names its own modules',
  }),
  libc: Type.Union([Type.Null(), Type.String({ pattern: '^(?:glibc|musl) [0-9]+[.][0-9]+$' })], {
    description: 'the oldest C library that every wheel runs on; null where none needs one',
  }),
});
export type PythonTarget = Static<typeof PythonTarget>;

export interface PypiRef {
  readonly name: string;
  /** As the index writes it. */
  readonly version: string;
  /** The same with three numbers, so that ranges can choose it. */
  readonly release: string;
}

export function isPypiSource(source: string): boolean {
  return source.startsWith('pypi:');
}

/** A name as it is compared: small letters, single dashes. */
export function pypiName(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, '-');
}

/** `pypi:mcp-server-time@2025.9.25`. Throws SOURCE_INVALID. */
export function pypiRefOf(source: string): PypiRef {
  const pattern = new RegExp(`^pypi:(${NAME})@(${NUMBERS})((?:a|b|rc)[0-9]+)?$`);
  const [, name, numbers, pre = ''] = pattern.exec(source) ?? [];
  if (name === undefined || numbers === undefined) throw invalid(source);
  const three = [...numbers.split('.'), '0', '0'].slice(0, 3).map((part) => String(BigInt(part)));
  return { name, version: `${numbers}${pre}`, release: `${three.join('.')}${pre === '' ? '' : `-${pre}`}` };
}

function invalid(source: string): LockkeeperError {
  const [, name = '', rest = ''] = /^pypi:([^@]+)(@.*)?$/.exec(source) ?? [];
  const normal = pypiName(name);
  const renamed = normal !== name && new RegExp(`^${NAME}$`).test(normal);
  return new LockkeeperError('SOURCE_INVALID', {
    expected:
      'pypi:<name>@<exact version>, the version one to three numbers, with a1, b1 or rc1 for a pre-release',
    found: quote(source),
    next: renamed ? `Write the name as the index does: pypi:${normal}${rest}` : 'Correct the source',
  });
}

export function pypiPurl({ name, version }: { readonly name: string; readonly version: string }): string {
  return `pkg:pypi/${name}@${version.replaceAll('+', '%2B').replaceAll('!', '%21')}`;
}

/** Of a source archive, which is another thing than the wheel of the same version. */
export function sdistPurl(ref: { readonly name: string; readonly version: string }, file: string): string {
  return `${pypiPurl(ref)}?file_name=${encodeURIComponent(file)}`;
}
