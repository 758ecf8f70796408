/** The transparency log as the registry keeps it: entries come with what they record, checkpoints when they are asked for. */
import { LockkeeperError, refusing } from '../schemas/errors.ts';
import { type Logged, logEntryBytes } from '../schemas/log.ts';
import { consistencyRecipe, inclusionRecipe, joined, type Recipe, rootRecipe } from '../schemas/merkle.ts';
import { checkpointText, noteKeyOf, type Signer, signNote } from '../schemas/note.ts';
import {
  appendEntries,
  insertCheckpoint,
  logSize,
  newestCheckpoint,
  nodesAt,
  type StoredCheckpoint,
} from './db/log.ts';
import { type Client, type Pool, withTransaction } from './db/pool.ts';
import { type Event, insertEvent } from './db/records.ts';

/** Adds an entry in the caller's transaction: it is there if and only if what it speaks of is. Call it last. */
export async function logThat(client: Client, entry: Logged): Promise<number> {
  return appendEntries(client, [logEntryBytes(entry)]);
}

/** What happened here, for people; and, where it has to be provable later, an entry of the log. Call it last. */
export async function recordEvent(
  client: Client,
  event: Event & { readonly logged?: Omit<Logged, 'subject'> },
): Promise<void> {
  await insertEvent(client, event);
  if (event.logged) await logThat(client, { ...event.logged, subject: event.subject });
}

export function logKey(signer: Signer): string {
  return noteKeyOf(signer, 'log');
}

/** The newest checkpoint; signs one when entries came since the last. Replicas sign the same bytes for the same size. */
export async function checkpoint(pool: Pool, signer: Signer): Promise<StoredCheckpoint> {
  const [size, last] = [await logSize(pool), await newestCheckpoint(pool)];
  if (last?.size === size) return last;
  return withTransaction(pool, async (client) => {
    const root = await hashOf(client, rootRecipe(size));
    const note = signNote(checkpointText({ origin: signer.name, size, root }), signer);
    const made = { size, root, note };
    if (size > 0) await insertCheckpoint(client, made);
    return made;
  });
}

/** Proof that entry `index` is in the tree of `size`. Throws REQUEST_INVALID outside the log. */
export async function inclusionProof(client: Client, index: number, size: number): Promise<Buffer[]> {
  const have = await logSize(client);
  if (index >= size || size > have)
    throw outside(`an index below a size of at most ${have}`, `${index} of ${size}`);
  return hashesOf(client, inclusionRecipe(index, size));
}

/** The same for many entries of one tree, in one question. */
export async function inclusionProofs(
  client: Client,
  indexes: readonly number[],
  size: number,
): Promise<Buffer[][]> {
  const recipes = indexes.map((index) => inclusionRecipe(index, size));
  const hashes = await hashesOf(client, recipes.flat());
  return recipes.map((recipe) => hashes.splice(0, recipe.length));
}

/** Proof that the tree of `to` grew out of the one of `from`. Throws REQUEST_INVALID outside the log. */
export async function consistencyProof(client: Client, from: number, to: number): Promise<Buffer[]> {
  const have = await logSize(client);
  if (from < 1 || from > to || to > have)
    throw outside(`two sizes from 1 to ${have}, the smaller first`, `${from} and ${to}`);
  return hashesOf(client, consistencyRecipe(from, to));
}

const outside = refusing('REQUEST_INVALID', 'Fetch the newest checkpoint first');

async function hashOf(client: Client, recipe: Recipe): Promise<Buffer> {
  const [hash] = await hashesOf(client, [recipe]);
  return hash ?? joined([]);
}

/** All subtrees of all hashes in one question. */
async function hashesOf(client: Client, recipes: readonly Recipe[]): Promise<Buffer[]> {
  const nodes = await nodesAt(client, recipes.flat());
  return recipes.map((recipe) =>
    joined(
      recipe.map(({ level, index }) => {
        const node = nodes.get(`${level} ${index}`);
        if (node) return node;
        throw new LockkeeperError('LOG_BROKEN', {
          expected: `the subtree ${index} of level ${level} in the log`,
          found: 'none',
          next: 'The log was changed outside of Lockkeeper: keep the database as it is and tell your security team',
        });
      }),
    ),
  );
}
