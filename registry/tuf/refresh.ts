/** Asking the repository of trust files. What comes is kept and told; nothing is used before root.json pins it. */
import { readFile } from 'node:fs/promises';
import { trustChanges } from '../../runtime/provenance/trust-text.ts';
import { whereThere } from '../../runtime/store/blobs.ts';
import { asLockkeeperError, type LockkeeperError } from '../../schemas/errors.ts';
import { sha256 } from '../../schemas/json.ts';
import { type Client, withTransaction } from '../db/pool.ts';
import { insertEvent } from '../db/records.ts';
import {
  heldMetadata,
  lastSeed,
  putMetadata,
  putRepositoryState,
  putSeed,
  putTrustFiles,
  repositoryState,
  type TrustFileRow,
} from '../db/trust-files.ts';
import type { Deps } from '../deps.ts';
import { SELF } from '../root.ts';
import { trustFiles } from '../trust-files.ts';
import { readTuf, type TufReading } from './client.ts';
import type { TufLimits } from './fetcher.ts';
import type { TufSetting } from './setting.ts';

export interface TufDeps extends Pick<Deps, 'pool' | 'blobs' | 'trust' | 'log'> {
  /** Null: nobody is asked. */
  readonly tuf: TufSetting | null;
  /** Folder of the trust files that people laid down. */
  readonly trustRoots: string;
  readonly tmp: string;
  readonly tufLimits?: Partial<TufLimits>;
}

/** Asks once. A refusal is told and leaves everything as it was. Throws TRUST_UNREACHABLE, so that it is tried again. */
export async function refreshTrust(deps: TufDeps): Promise<void> {
  const { pool, log, tuf } = deps;
  await keepPinned(deps);
  if (tuf === null) {
    log.info('no repository of trust files is set (LOCKKEEPER_TUF): nobody was asked');
    return putRepositoryState(pool, null, null);
  }
  try {
    const seed = await readFile(tuf.root);
    const held = await heldMetadata(pool, sha256(seed));
    const reading = await readTuf(tuf, {
      metadata: held,
      seed,
      tmp: deps.tmp,
      ...(deps.tufLimits ? { limits: deps.tufLimits } : {}),
    });
    await take(reading, sha256(seed), deps);
  } catch (thrown) {
    const error = asLockkeeperError(thrown);
    await tellProblem(error, deps);
    if (error.code !== 'TRUST_REFUSED') throw error;
  }
}

/** Files that people laid into the folder are kept by digest as well, so that reviewers can read what the next one changes. */
async function keepPinned({ trust, trustRoots, blobs }: TufDeps): Promise<void> {
  const { files } = await trustFiles(trust, { folder: trustRoots, blobs });
  for (const bytes of files.values()) await blobs.put(bytes);
}

async function take(reading: TufReading, seed: string, deps: TufDeps): Promise<void> {
  const { pool, blobs, tuf } = deps;
  const rows: Omit<TrustFileRow, 'since'>[] = [];
  for (const { name, path, bytes } of reading.files)
    rows.push({ name, target: path, digest: (await blobs.put(bytes)).digest });
  await withTransaction(pool, async (client) => {
    const begunWith = await lastSeed(client);
    if (begunWith !== null && begunWith !== seed)
      await tellBegun(client, { seed, before: begunWith, url: tuf?.url ?? '' });
    await putMetadata(client, seed, reading.metadata);
    for (const { name, before } of await putTrustFiles(client, rows)) {
      const after = reading.files.find((file) => file.name === name)?.bytes ?? Buffer.alloc(0);
      const old = before === null ? null : await whereThere(blobs, before);
      await insertEvent(client, {
        person: SELF,
        action: 'trust.changed',
        subject: name,
        detail: { before, after: sha256(after), changes: trustChanges(old, after).slice(0, 50) },
      });
    }
    await putRepositoryState(client, tuf?.url ?? null, null);
    await putSeed(client, seed);
  });
}

/** What was read from another root is not held against this one: an older version than it had would not be noticed. */
async function tellBegun(
  client: Client,
  { seed, before, url }: { readonly seed: string; readonly before: string; readonly url: string },
): Promise<void> {
  await insertEvent(client, {
    person: SELF,
    action: 'trust.begun-anew',
    subject: url.slice(0, 500),
    detail: { root: seed, before },
  });
}

/** One event for a problem, however often it is met. */
async function tellProblem(error: LockkeeperError, { pool, log, tuf }: TufDeps): Promise<void> {
  const { code, message } = error;
  log.warn({ code, found: error.found }, 'trust files not read');
  const before = await repositoryState(pool);
  await withTransaction(pool, async (client) => {
    if (before?.problem !== message.slice(0, 2000))
      await insertEvent(client, {
        person: SELF,
        action: code === 'TRUST_REFUSED' ? 'trust.refused' : 'trust.unreachable',
        subject: tuf?.url.slice(0, 500) ?? '',
        detail: { code, message: message.slice(0, 2000) },
      });
    await putRepositoryState(client, tuf?.url ?? null, { code, message });
  });
}
