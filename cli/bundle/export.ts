/** Making a bundle: the project's lock, verified, and everything that it names. */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pullArtifacts } from '../../runtime/pull.ts';
import { writeArchive } from '../../runtime/store/archive.ts';
import { type Blobs, openBlobs } from '../../runtime/store/blobs.ts';
import { assertAnswers } from '../../runtime/trust/answers.ts';
import type { VerifiedLock } from '../../runtime/trust/lock.ts';
import { readRoot } from '../../runtime/trust/root.ts';
import { BUNDLE_FILE, type Bundle, blobPath, trustRootPath } from '../../schemas/bundle.ts';
import type { Envelope } from '../../schemas/dsse.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { Intent } from '../../schemas/intent.ts';
import { pretty, sha256 } from '../../schemas/json.ts';
import { TrustView } from '../../schemas/keys.ts';
import { LOCK_FILE, type Lock } from '../../schemas/lock.ts';
import { type Growth, LogProof } from '../../schemas/log.ts';
import { parseNote, readCheckpoint } from '../../schemas/note.ts';
import type { Root } from '../../schemas/root.ts';
import { type Context, list, type Result, text, type Values } from '../command.ts';
import { givenPin } from '../pins.ts';
import { INTENT_FILE, openProject, projectOf } from '../project.ts';

/** Verifies, fetches what the local store lacks, and writes. The same lock and store give the same bytes. */
export async function exportBundle(context: Context, path: string, values: Values): Promise<Result> {
  const project = projectOf(context, values);
  const opened = await openProject(context, project, { ask: true });
  const { intent, bytes, verified } = opened;
  assertAnswers(verified.lock, intent);
  const bundle: Bundle = {
    lockkeeper: 'bundle/v1',
    rootChain: await rootChain(context, { intent, verified }, values),
    growth: await growth(context, { intent, verified }, values),
  };
  const trustRoots = await trustRootsGiven(context, verified.trusted.root, values);
  const blobs = await openBlobs(join(context.home.storeDir, 'blobs'));
  await fetchMissing(context, { intent, verified, blobs });
  const archive = await writeArchive(path);
  try {
    await archive.put(BUNDLE_FILE, Buffer.from(pretty(bundle)));
    await archive.put(INTENT_FILE, await readFile(project.intentPath));
    await archive.put(LOCK_FILE, bytes);
    for (const [name, file] of trustRoots) await archive.put(trustRootPath(name), file);
    for (const digest of blobsOf(verified.lock).keys())
      await archive.put(blobPath(digest), await blobs.get(digest));
  } catch (error) {
    await archive.abort();
    throw error;
  }
  const { bytes: size } = await archive.close();
  return told(context, path, { verified, size, missing: namesLeft(verified.trusted.root, trustRoots) });
}

/** Surface texts and artifacts of every entry, each once, in the order of their digests; sizes where the lock says them. */
export function blobsOf({ servers }: Lock): Map<string, number | null> {
  const found = new Map<string, number | null>();
  for (const { surfaceText, closure } of Object.values(servers)) {
    if (!found.has(surfaceText)) found.set(surfaceText, null);
    for (const { sha256: digest, size } of closure.artifacts) found.set(digest, size);
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function logSizeOf({ seen }: VerifiedLock): number {
  return readCheckpoint(parseNote(seen.checkpoint).text).size;
}

interface Of {
  readonly intent: Intent;
  readonly verified: VerifiedLock;
}

/** From an older pin to the root of the lock; nothing where the machine pinned what the project names. */
async function rootChain(context: Context, { intent, verified }: Of, values: Values): Promise<Envelope[]> {
  const pin = await givenPin(context, intent, values);
  if (pin === null) return [];
  const api = await context.api(intent.registry);
  const view = await api.call('trust', TrustView, { query: { pin: pin.rootKeys.join(',') } });
  const { version } = verified.trusted.root;
  return [...view.rootChain, view.root].filter((envelope) => readRoot(envelope).root.version < version);
}

async function growth(context: Context, { intent, verified }: Of, values: Values): Promise<Growth[]> {
  const given = text(values, 'from-size');
  if (given === undefined) return [];
  const to = logSizeOf(verified);
  const from = /^[1-9][0-9]{0,15}$/.test(given) ? Number(given) : Number.NaN;
  if (!(from <= to))
    throw new LockkeeperError('USAGE', {
      expected: `--from-size: a number of entries from 1 to ${to}, which the lock’s checkpoint has`,
      found: quote(given),
      next: 'lk import printed it on the other machine; lk lock makes a lock with a newer checkpoint',
    });
  if (from === to) return [];
  const query = { from: `${from}`, to: `${to}` };
  const { proof } = await (await context.api(intent.registry)).call('logConsistency', LogProof, { query });
  return [{ from, proof }];
}

/** Files given by name, each the very one that root.json pins. */
async function trustRootsGiven(context: Context, root: Root, values: Values): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  for (const item of list(values, 'trust-root')) {
    const [name = '', path = ''] = item.split(/=(.*)/s);
    const pinned = Object.hasOwn(root.trustRoots, name) ? root.trustRoots[name] : undefined;
    const bytes = pinned === undefined ? null : await readFile(resolve(context.cwd, path));
    if (bytes && sha256(bytes) === pinned) {
      found.set(name, bytes);
      continue;
    }
    throw new LockkeeperError('USAGE', {
      expected: `--trust-root NAME=FILE for what root version ${root.version} pins: ${Object.keys(root.trustRoots).join(', ') || 'nothing'}`,
      found: bytes ? `${quote(path)} with ${sha256(bytes)}, not ${pinned}` : quote(item),
      next: 'Take the file that was pinned',
    });
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function namesLeft(root: Root, given: ReadonlyMap<string, Buffer>): string[] {
  return Object.keys(root.trustRoots).filter((name) => !given.has(name));
}

async function fetchMissing(context: Context, of: Of & { blobs: Blobs }): Promise<void> {
  const { intent, verified, blobs } = of;
  const fetch = async (digest: string): Promise<Buffer> => (await context.api(intent.registry)).blob(digest);
  for (const { entry } of verified.entries.values()) {
    await pullArtifacts(entry.closure.artifacts, blobs, {
      fetch,
      progress: (done, count) => context.progress(`fetching ${entry.server}: ${done} of ${count}`),
    });
    if (await blobs.has(entry.surfaceText)) continue;
    const bytes = await fetch(entry.surfaceText);
    if (sha256(bytes) === entry.surfaceText) await blobs.put(bytes);
  }
  context.progress('');
}

function told(
  context: Context,
  path: string,
  { verified, size, missing }: { verified: VerifiedLock; size: number; missing: readonly string[] },
): Result {
  const { lock, digest } = verified;
  const [blobs, logSize] = [blobsOf(lock).size, logSizeOf(verified)];
  const left = missing.length
    ? `\n${context.paint.yellow(`Not in it: the trust roots ${missing.join(', ')} (--trust-root NAME=FILE).`)}`
    : '';
  return {
    data: {
      path,
      bytes: size,
      lock: { version: lock.version, digest, expires: lock.expires },
      blobs,
      logSize,
      missingTrustRoots: missing,
    },
    text: `${path}: ${size} bytes with mcp.lock version ${lock.version}, valid until ${lock.expires}, and ${blobs} blobs.${left}\nOn the other machine: lk import FILE --pin root-pin.json (lk export pin root-pin.json writes that one)`,
  };
}
