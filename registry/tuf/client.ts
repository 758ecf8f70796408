/** One reading of a TUF repository: everything it has follows from the root that was believed before, or nothing is taken. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TargetFile, Updater } from 'tuf-js';
import { assertTrustFile } from '../../runtime/provenance/trust-text.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { MAX_TRUST_FILE_BYTES } from '../../schemas/trust-files.ts';
import { BoundedFetcher, type TufLimits } from './fetcher.ts';
import type { TufSetting } from './setting.ts';

const LIMITS: TufLimits = { answerMs: 20_000, allMs: 120_000 };
/** The public instance is at some fifteen; each is a question. */
const MOST_ROOTS = 64;
const MOST_DELEGATIONS = 16;

export interface TufReading {
  /** Metadata as it was verified, by the name of its file: what the next reading begins from. */
  readonly metadata: ReadonlyMap<string, Buffer>;
  readonly files: readonly { readonly name: string; readonly path: string; readonly bytes: Buffer }[];
}

export interface TufStart {
  /** What an earlier reading left; without any, `seed` is where it begins. */
  readonly metadata: ReadonlyMap<string, Buffer>;
  readonly seed: Buffer;
  /** Folder for what the client lays down while it works. */
  readonly tmp: string;
  readonly limits?: Partial<TufLimits>;
}

/** Throws TRUST_UNREACHABLE, or TRUST_REFUSED for whatever is forged, expired, older than before or not what was named. */
export async function readTuf(setting: TufSetting, start: TufStart): Promise<TufReading> {
  const tmp = await mkdtemp(join(start.tmp, 'tuf-'));
  const fetcher = new BoundedFetcher(tmp, { ...LIMITS, ...start.limits });
  try {
    const dir = join(tmp, 'metadata');
    await mkdir(dir);
    const before = start.metadata.size > 0 ? start.metadata : new Map([['root.json', start.seed]]);
    for (const [name, bytes] of before) await writeFile(join(dir, name), bytes);
    const updater = new Updater({
      metadataDir: dir,
      metadataBaseUrl: setting.url,
      targetBaseUrl: `${setting.url}/targets`,
      fetcher,
      config: { maxRootRotations: MOST_ROOTS, maxDelegations: MOST_DELEGATIONS },
    });
    await updater.refresh();
    const files: TufReading['files'][number][] = [];
    for (const { name, path } of setting.targets) {
      const target = await updater.getTargetInfo(path);
      if (!target) throw new Error(`it has no ${quote(path, 300)}`);
      assertBounded(target);
      const bytes = await readFile(await updater.downloadTarget(target, join(tmp, 'file')));
      assertTrustFile(bytes);
      files.push({ name, path, bytes });
    }
    const metadata = new Map<string, Buffer>();
    for (const name of await readdir(dir)) metadata.set(name, await readFile(join(dir, name)));
    return { metadata, files };
  } catch (error) {
    throw fetcher.failure ?? refused(setting, error);
  } finally {
    await rm(tmp, { recursive: true, force: true });
  }
}

/** The client verifies what digests a target is named with, if it is only one of a kind nobody relies on. */
function assertBounded({ path, length, hashes }: TargetFile): void {
  if (length > MAX_TRUST_FILE_BYTES)
    throw new Error(`${quote(path, 300)} is said to have ${length} bytes, more than ${MAX_TRUST_FILE_BYTES}`);
  if (!/^[0-9a-f]{64}$/.test(hashes.sha256 ?? ''))
    throw new Error(`${quote(path, 300)} is named without a SHA-256 digest`);
}

function refused({ url }: TufSetting, error: unknown): LockkeeperError {
  const message = error instanceof LockkeeperError ? error.found : (error as Error).message;
  return new LockkeeperError('TRUST_REFUSED', {
    expected: `metadata and files at ${quote(url, 300)} that follow from the root believed before`,
    found: quote(message, 300),
    next: 'Nothing was taken. Tell whoever runs the repository, and look whether it is the right one',
    cause: error,
  });
}
