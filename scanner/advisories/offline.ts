/**
 * Advisories from files: archives in OSV's form, and folders of them. Each archive is gone through once, and only which
 * packages its entries are about is kept: a record is read when a package of that name is asked for.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ZIP_LIMITS, zipEntries, zipReader } from '../../runtime/store/zip.ts';
import type { Affecting } from '../../schemas/advisory.ts';
import { asLockkeeperError, LockkeeperError, quote } from '../../schemas/errors.ts';
import type { Named } from '../installed/package.ts';
import type { KnownAdvisories } from '../ports.ts';
import { type Archive, openArchive } from './archive.ts';
import { isAffected } from './match.ts';
import {
  type Advisory,
  ecosystemIn,
  FAMILIES,
  familiesOf,
  familyOf,
  instantOf,
  MAX_RECORD_BYTES,
  nameIn,
  readAdvisory,
} from './record.ts';

/** Files of a folder; an archive has its own limits. */
const MAX_FILES = 1_000_000;
/** A record of tomorrow would make an old feed look new. */
const AHEAD_MS = 24 * 3_600_000;

/** Read at once where a record is asked for by its package: most are much smaller. */
const APART_BYTES = 16 * 1024;

/** One record, to be read when it is needed. */
type Where = () => Promise<Buffer>;

export interface Offline {
  /** What is known against these packages. */
  known(packages: readonly Named[]): Promise<KnownAdvisories>;
  /** Records that were found, and entries that are none. */
  readonly records: number;
  readonly skipped: number;
  close(): Promise<void>;
}

interface Index {
  readonly places: Map<string, Where[]>;
  /** The newest record of each family that is about nothing else: others come along with the feeds of other families. */
  readonly newest: Map<string, string>;
  records: number;
  skipped: number;
}

/**
 * Archives, records (`ID.json`), and folders with either, also one folder down as OSV lays them out (`npm/all.zip`). Throws
 * USAGE for what is not there or holds no record, ARCHIVE_HOSTILE for an archive that is none.
 */
export async function openOffline(
  paths: readonly string[],
  { now, progress }: { readonly now: () => Date; readonly progress: (step: string) => void },
): Promise<Offline> {
  const index: Index = { places: new Map(), newest: new Map(), records: 0, skipped: 0 };
  const archives: Archive[] = [];
  const at = now();
  const close = async (): Promise<void> => {
    for (const archive of archives) await archive.close();
  };
  try {
    for (const path of paths) {
      const before = index.records;
      for (const file of await filesAt(path)) {
        progress(`reading advisories: ${index.records} so far`);
        if (file.endsWith('.zip')) await indexArchive(file, { index, archives, now: at });
        else await indexRecord(index, at, { first: () => recordAt(file), later: () => recordAt(file) });
      }
      if (index.records === before)
        throw refused('a record in the OSV format, at least one', `none in ${quote(path, 200)}`);
    }
  } catch (error) {
    await close();
    throw error;
  }
  const { records, skipped } = index;
  return { records, skipped, close, known: (packages) => knownOf(index, packages) };
}

function refused(expected: string, found: string): LockkeeperError {
  const next = 'Give an all.zip of OSV, or a folder that has npm/all.zip or PyPI/all.zip: docs/advisories.md';
  return new LockkeeperError('USAGE', { expected: `--advisories: ${expected}`, found, next });
}

async function filesAt(path: string): Promise<string[]> {
  const found = await stat(path).catch(() => null);
  if (found?.isFile()) return [path];
  if (!found?.isDirectory()) throw refused('a file or a folder that is there', quote(path, 200));
  const files: string[] = [];
  const families: readonly string[] = FAMILIES;
  const here = (await readdir(path, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of here) {
    if (entry.isFile() && /\.(?:zip|json)$/.test(entry.name)) files.push(join(path, entry.name));
    if (!entry.isDirectory() || !families.includes(entry.name.split(':')[0] ?? '')) continue;
    const names = await readdir(join(path, entry.name));
    // The archive has all of them.
    const wanted = names.includes('all.zip')
      ? ['all.zip']
      : names.filter((name) => /\.(?:zip|json)$/.test(name));
    files.push(...wanted.sort().map((name) => join(path, entry.name, name)));
  }
  if (files.length > MAX_FILES) throw refused(`at most ${MAX_FILES} files in a folder`, `${files.length}`);
  return files;
}

async function recordAt(file: string): Promise<Buffer> {
  const { size } = await stat(file);
  if (size <= MAX_RECORD_BYTES) return readFile(file);
  throw new LockkeeperError('ARCHIVE_HOSTILE', {
    expected: `a record of at most ${MAX_RECORD_BYTES} bytes`,
    found: `${size}`,
    next: 'Tell whoever publishes the advisories',
  });
}

interface Indexing {
  readonly index: Index;
  readonly archives: Archive[];
  readonly now: Date;
}

async function indexArchive(file: string, { index, archives, now }: Indexing): Promise<void> {
  const archive = await openArchive(file);
  archives.push(archive);
  const limits = { ...ZIP_LIMITS, entryBytes: MAX_RECORD_BYTES };
  const [inOrder, apart] = [zipReader(archive, limits), zipReader(archive, limits, APART_BYTES)];
  for (const entry of await zipEntries(archive)) {
    if (!entry.name.endsWith('.json')) continue;
    await indexRecord(index, now, { first: () => inOrder.bytes(entry), later: () => apart.bytes(entry) });
  }
}

/** What is no record is passed over, and counted. */
async function indexRecord(
  index: Index,
  now: Date,
  { first, later }: { readonly first: Where; readonly later: Where },
): Promise<void> {
  try {
    const { modified, affects, families } = glance(await first());
    index.records++;
    const [only, ...others] = families;
    const sober = Date.parse(modified) <= now.getTime() + AHEAD_MS;
    if (sober && only !== undefined && others.length === 0 && (index.newest.get(only) ?? '') < modified)
      index.newest.set(only, modified);
    for (const key of affects) {
      const list = index.places.get(key) ?? [];
      index.places.set(key, list);
      list.push(later);
    }
  } catch (error) {
    if (!(error instanceof SyntaxError) && !PASSED.has(asLockkeeperError(error).code)) throw error;
    index.skipped++;
  }
}

const PASSED: ReadonlySet<string> = new Set(['ARCHIVE_HOSTILE', 'DOCUMENT_INVALID', 'JSON_INVALID']);

/** What an entry is about, before it is believed: hundreds of thousands of them are looked at. */
function glance(bytes: Buffer): { modified: string; affects: string[]; families: string[] } {
  const record = Object(JSON.parse(bytes.toString('utf8'))) as Readonly<Record<string, unknown>>;
  const { modified, affected } = record;
  const about = (Array.isArray(affected) ? affected.slice(0, 10_000) : []).flatMap((one: unknown) => {
    const { ecosystem, name } = Object(Object(one).package) as { ecosystem?: unknown; name?: unknown };
    return typeof ecosystem === 'string' && typeof name === 'string'
      ? [{ ecosystem: ecosystemIn(ecosystem), name }]
      : [];
  });
  return {
    modified: instantOf(String(modified)),
    affects: [...new Set(about.filter(({ ecosystem }) => familyOf(ecosystem)).map(keyOf))],
    families: familiesOf(about),
  };
}

function keyOf({ ecosystem, name }: Pick<Named, 'ecosystem' | 'name'>): string {
  return `${ecosystem} ${nameIn(ecosystem, name)}`;
}

async function knownOf(index: Index, packages: readonly Named[]): Promise<KnownAdvisories> {
  const byKey = Map.groupBy(packages, keyOf);
  const latest = new Map<string, Advisory>();
  const unread: string[] = [];
  for (const key of byKey.keys())
    for (const where of index.places.get(key) ?? []) {
      const advisory = await readOr(where, () => unread.push(key));
      const other = advisory && latest.get(advisory.id);
      if (advisory && (!other || other.modified < advisory.modified)) latest.set(advisory.id, advisory);
    }
  const affecting = [...latest.values()].flatMap((one) => affectingOf(one, byKey));
  const families = familiesOf(packages);
  // As old as the oldest feed that these packages need.
  const [newest = null] = families.flatMap((family) => index.newest.get(family) ?? []).sort();
  return {
    newest,
    affecting: affecting.sort((a, b) => (a.id < b.id ? -1 : 1)),
    missing: families.filter((family) => !index.newest.has(family)),
    ...(unread.length > 0 && { unread: [...new Set(unread)].sort() }),
  };
}

/** What is no sound record, though it names the package, leaves what is known of it open. */
async function readOr(where: Where, broken: () => void): Promise<Advisory | null> {
  try {
    return readAdvisory(await where());
  } catch (error) {
    if (!PASSED.has(asLockkeeperError(error).code)) throw error;
    broken();
    return null;
  }
}

function affectingOf(
  { id, kind, severity, summary, modified, withdrawn, affects }: Advisory,
  byKey: ReadonlyMap<string, readonly Named[]>,
): Affecting[] {
  if (withdrawn) return [];
  const purls = affects.flatMap((one) =>
    (byKey.get(keyOf(one)) ?? []).filter(({ version }) => isAffected(version, one)).map(({ purl }) => purl),
  );
  const met = [...new Set(purls)].sort();
  return met.length === 0 ? [] : [{ id, kind, severity, summary, modified, purls: met }];
}
