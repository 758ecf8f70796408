/** Packages of RPM, out of the SQLite database that it keeps. */
import { type Entry, type Listing, listed, MAX_PACKAGES, type Where } from '../distribution.ts';
import { licenceIn } from '../licence.ts';
import { isSober } from '../package.ts';
import { type RpmHeader, readHeader } from './header.ts';
import { rowsOf, Unreadable } from './sqlite.ts';

const DEFINITION =
  /^CREATE TABLE ['"]?Packages['"]? ?\( ?hnum INTEGER PRIMARY KEY AUTOINCREMENT, ?blob BLOB NOT NULL ?\)$/i;

/** What all packages of one database need and provide together, at most. */
const MAX_NAMES = 2_000_000;

/** Keys that signatures are checked with stand among the packages. */
const KEY = 'gpg-pubkey';

/** What can be read of it, and why that may not be all. */
export function rpmPackages(bytes: Buffer, { path, on }: Where): Listing & { readonly gaps: string[] } {
  const entries: Entry[] = [];
  const gaps: string[] = [];
  let [odd, names] = [0, 0];
  try {
    for (const [, blob] of rowsOf(bytes, 'Packages', DEFINITION)) {
      if (entries.length + odd >= MAX_PACKAGES) {
        gaps.push(`${path} is read for its first ${MAX_PACKAGES} packages only`);
        break;
      }
      const header = Buffer.isBuffer(blob) ? readHeader(blob) : null;
      names += header === null ? 0 : header.requires.length + header.provides.length;
      if (names > MAX_NAMES) {
        gaps.push(`${path} is read until its packages need and provide ${MAX_NAMES} things`);
        break;
      }
      if (header?.name === KEY) continue;
      const entry = header && entryOf(header);
      if (entry) entries.push(entry);
      else odd++;
    }
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    gaps.push(`packages of RPM are not read, or not all: ${path} ${error.message}`);
  }
  return { packages: listed(entries, { type: 'rpm', path, on }), odd, gaps };
}

/** Null for a name or a version that is none. */
function entryOf(header: RpmHeader): Entry | null {
  const { name, version, release, epoch, arch } = header;
  const shown = `${version}-${release}`;
  // Blanks and dashes would be read as the ends of parts.
  const plain = [version, release].every((part) => /^[A-Za-z0-9._+~^]+$/.test(part));
  if (!plain || !isSober(name, shown) || !/^[A-Za-z0-9_]*$/.test(arch)) return null;
  const full = epoch === 0 ? shown : `${epoch}:${shown}`;
  const [, source] = /^(.+)-[^-]+-[^-]+\.(?:no)?src\.rpm$/.exec(header.sourceRpm) ?? [];
  return {
    ...{ name, version: shown, arch, mark: `${name}-${full}${arch === '' ? '' : `.${arch}`}` },
    source: { name, version: full },
    alias: source !== undefined && source !== name && isSober(source, shown) ? source : null,
    licence: licenceIn(header.licence),
    qualifiers: epoch === 0 ? {} : { epoch: String(epoch) },
    needs: header.requires,
    provides: header.provides,
  };
}
