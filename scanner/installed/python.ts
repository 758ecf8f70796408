/** What the METADATA of a Python package tells, whatever stands in it. */
import { pypiName } from '../../schemas/pypi.ts';
import { type Licence, licenceOfMetadata } from './licence.ts';
import { isSober } from './package.ts';

/** A need that counts only where an extra of the package is asked for; null for one that always counts. */
interface Need {
  readonly name: string;
  readonly extras: readonly string[];
  readonly only: string | null;
}

export interface ToldByMetadata {
  readonly name: string | null;
  readonly version: string | null;
  readonly licence: Licence;
  readonly needs: readonly Need[];
}

const MAX_HEAD_BYTES = 1024 * 1024;
const MAX_NEEDS = 5000;

export function toldByMetadata(bytes: Buffer): ToldByMetadata {
  const fields = fieldsOf(bytes.subarray(0, MAX_HEAD_BYTES).toString('utf8'));
  const [name = '', version = ''] = [fields('Name')[0], fields('Version')[0]];
  const sober = isSober(name, version) && /^[A-Za-z0-9._-]+$/.test(name);
  return {
    name: sober ? pypiName(name) : null,
    version: sober ? version : null,
    licence: licenceOfMetadata(fields),
    needs: fields('Requires-Dist')
      .slice(0, MAX_NEEDS)
      .flatMap((line) => needOf(line)),
  };
}

/** Fields by name, in small letters or not; a line that begins with blanks goes on with the one before. */
function fieldsOf(text: string): (name: string) => readonly string[] {
  const found = new Map<string, string[]>();
  let last: string[] | undefined;
  for (const line of text.split(/\r?\n/)) {
    if (line === '') break;
    if (/^[ \t]/.test(line)) {
      if (last && last.length > 0) last.push(`${last.pop()}\n${line.trim()}`);
      continue;
    }
    const colon = line.indexOf(':');
    if (colon < 1) continue;
    const key = line.slice(0, colon).toLowerCase();
    last = found.get(key) ?? [];
    found.set(key, last);
    last.push(line.slice(colon + 1).trim());
  }
  return (name) => found.get(name.toLowerCase()) ?? [];
}

function needOf(line: string): Need[] {
  const [, name, extras = ''] =
    /^([A-Za-z0-9][A-Za-z0-9._-]{0,200})\s*(?:\[([^\]]{0,500})\])?/.exec(line) ?? [];
  if (name === undefined) return [];
  const [, only] = /^[^;]*;.*\bextra\s*==\s*["']([^"']{1,100})["']/.exec(line.slice(0, 2000)) ?? [];
  return [
    {
      name: pypiName(name),
      extras: extras.split(',').flatMap((one) => (one.trim() === '' ? [] : pypiName(one.trim()))),
      only: only === undefined ? null : pypiName(only),
    },
  ];
}

/** Which extras of each package anybody asks for: what only they need is needed then. */
export function extrasAsked(
  told: readonly Pick<ToldByMetadata, 'needs'>[],
): ReadonlyMap<string, ReadonlySet<string>> {
  const asked = new Map<string, Set<string>>();
  for (const { needs } of told)
    for (const { name, extras } of needs) {
      const held = asked.get(name) ?? new Set();
      asked.set(name, held);
      for (const extra of extras) held.add(extra);
    }
  return asked;
}
