/** What a package.json tells, whatever shape it has. */
import { isObject, type Json } from '../../schemas/common.ts';
import { type Licence, licenceOfManifest, NO_LICENCE } from './licence.ts';
import { isSober } from './package.ts';

export interface Told {
  readonly name: string | null;
  readonly version: string | null;
  readonly licence: Licence;
  /** Names of what it needs. */
  readonly needs: readonly string[];
}

export const MAX_MANIFEST_BYTES = 1024 * 1024;
const MAX_NEEDS = 5000;
const FIELDS = ['dependencies', 'optionalDependencies', 'peerDependencies'];

/** Null for bytes that are no JSON object. */
export function toldByManifest(bytes: Buffer): Told | null {
  const manifest = objectIn(bytes);
  if (manifest === null) return null;
  const { name, version } = manifest;
  const sober = isSober(name, version) && /^(?:@[^/@]+\/)?[^/@]+$/.test(String(name));
  const needs = FIELDS.flatMap((field) => {
    const value = manifest[field];
    return value && typeof value === 'object' && !Array.isArray(value) ? Object.keys(value) : [];
  });
  return {
    name: sober ? String(name) : null,
    version: sober ? String(version) : null,
    licence: licenceOfManifest(manifest),
    needs: [...new Set(needs)].slice(0, MAX_NEEDS),
  };
}

export const NOTHING_TOLD: Told = { name: null, version: null, licence: NO_LICENCE, needs: [] };

function objectIn(bytes: Buffer): Record<string, Json> | null {
  if (bytes.length > MAX_MANIFEST_BYTES) return null;
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8').replace(/^\ufeff/, ''));
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

/** Where Node would find a package that another one needs: in its own node_modules, or in those above. */
export function resolveNpm(from: string, name: string, known: ReadonlySet<string>): string | null {
  for (let base = from; ; ) {
    const wanted = `${base === '' ? '' : `${base}/`}node_modules/${name}`;
    if (known.has(wanted)) return wanted;
    if (base === '') return null;
    const above = base.lastIndexOf('/node_modules/');
    base = above < 0 ? '' : base.slice(0, above);
  }
}
