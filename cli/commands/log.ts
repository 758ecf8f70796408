import { assertGrew, type OpenedCheckpoint, openCheckpoint } from '../../runtime/trust/checkpoint.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { LogProof, LogView } from '../../schemas/log.ts';
import { type Checkpoint, parseNote, readCheckpoint, readNoteKey, signersOf } from '../../schemas/note.ts';
import type { LogRole } from '../../schemas/root.ts';
import type { Api } from '../api.ts';
import { type Command, type Context, option, type Result, text, type Values } from '../command.ts';
import { plain } from '../output.ts';
import { type Published, type PublishedPlace, readPublished, shrank } from '../published-checkpoints.ts';
import { rootOfToday } from '../roots.ts';

export const log: Command = {
  summary: "verify that the registry's log only grew, and who witnessed it",
  words: 'verify | key',
  options: {
    against: option.text(
      'a checkpoint seen before, or where the registry publishes: a folder, s3://BUCKET/PREFIX or an address',
    ),
  },
  examples: [
    'lk log verify',
    'lk log verify --against ./published',
    'lk log verify --against s3://acme-log/lockkeeper',
    'lk log key',
  ],
  arity: [1, 1],
  async run(context, [verb = ''], values) {
    if (verb === 'verify') return verifyLog(context, values);
    if (verb === 'key') return showKeys(context);
    throw new LockkeeperError('USAGE', {
      expected: 'verify or key',
      found: quote(verb),
      next: 'See: lk log --help',
    });
  },
};

/** What the newest root says of the log, along the chain from the one that this machine pinned. */
async function logRole(context: Context, api: Api): Promise<LogRole> {
  const { token } = context.config;
  const signIn = (await context.home.signIns()).find(({ registry }) => registry === api.registry);
  const pin = signIn ?? (token?.registry === api.registry ? token : null);
  if (pin === null) {
    throw new LockkeeperError('ROOT_UNPINNED', {
      expected: `a sign-in at ${quote(api.registry, 200)}, which pins its root`,
      found: 'none on this machine',
      next: 'Run: lk login URL --code CODE',
    });
  }
  return (await rootOfToday(context, api, pin)).trusted.root.log;
}

async function showKeys(context: Context): Promise<Result> {
  const role = await logRole(context, await context.api());
  return {
    data: { origin: role.origin, keys: role.keys, witnesses: role.witnesses, threshold: role.threshold },
    text: role.keys.join('\n'),
  };
}

/**
 * 1 the log's signature, 2 that it continues each checkpoint given and what was seen at that place before, 3 that no less
 * lies there than then, 4 the witnesses: what is worst is said first.
 */
async function verifyLog(context: Context, values: Values): Promise<Result> {
  const against = text(values, 'against');
  const where = { cwd: context.cwd, environment: context.config.environment };
  const published = against === undefined ? null : await readPublished(against, where);
  const api = await context.api();
  const role = await logRole(context, api);
  const unwitnessed = { ...role, threshold: 0 };
  const { checkpoint } = await api.call('log', LogView);
  const now = openCheckpoint(checkpoint, unwitnessed);
  const before = published?.place ? await context.home.published(published.place) : null;
  const remembered = before === null ? [] : [{ path: `seen before at ${against}`, note: before }];
  for (const one of [...(published?.notes ?? []), ...remembered]) {
    const { earlier, stranger } = openEarlier(one.note, unwitnessed);
    const proof = await proofOf(api, earlier, now);
    try {
      assertGrew(earlier, now, proof);
    } catch (error) {
      if (stranger) throw stranger;
      if (error instanceof LockkeeperError && error.exit === 3)
        return misbehaviour(context, error, { earlier: one, now, proof });
      throw error;
    }
  }
  if (published) await rememberPublished(context, published, before);
  const { witnesses } = openCheckpoint(checkpoint, role);
  const seen = [...witnesses].map(([name, time]) => ({ name, at: new Date(time * 1000).toISOString() }));
  const continues = published?.notes.length ?? 0;
  return {
    data: { conclusion: 'ok', origin: now.origin, size: now.size, witnesses: seen, continues },
    text: `${context.paint.green('ok')}: the log ${now.origin} has ${now.size} entries, signed${seen.length ? ` and seen by ${seen.map(({ name, at }) => `${name} at ${at}`).join(', ')}` : '; no witness is asked for'}.${published ? `\nIt continues the ${continues} checkpoint${continues === 1 ? '' : 's'} of ${against}, the newest of ${sizeOf(newestOf(published))} entries.` : ''}`,
  };
}

/**
 * A checkpoint under a log key that the root names no longer accuses nobody, and what the log proves to continue needs no
 * signature: `stranger` is thrown only where it does not. Throws LOG_SIGNATURE for another log, and for a signature that is bent.
 */
function openEarlier(note: string, role: LogRole): { earlier: Checkpoint; stranger: LockkeeperError | null } {
  try {
    return { earlier: openCheckpoint(note, role), stranger: null };
  } catch (error) {
    if (!(error instanceof LockkeeperError) || error.code !== 'LOG_SIGNATURE') throw error;
    const parsed = parseNote(note);
    const earlier = readCheckpoint(parsed.text);
    if (earlier.origin !== role.origin || signersOf(parsed, role.keys.map(readNoteKey)) === null) throw error;
    return { earlier, stranger: error };
  }
}

const sizeOf = (note: string): number => readCheckpoint(parseNote(note).text).size;

function newestOf({ notes }: PublishedPlace): string {
  return notes.map(({ note }) => note).reduce((a, b) => (sizeOf(b) > sizeOf(a) ? b : a));
}

/** A place that is cut back together with the log agrees with it; this machine remembers. Throws PUBLISHED_SHRANK. */
async function rememberPublished(
  { home }: Context,
  published: PublishedPlace,
  before: string | null,
): Promise<void> {
  if (published.place === null) return;
  const newest = newestOf(published);
  if (before !== null && sizeOf(newest) < sizeOf(before))
    throw shrank(
      `a checkpoint of at least ${sizeOf(before)} entries in ${quote(published.place, 200)}, as this machine saw it`,
      `none of more than ${sizeOf(newest)}`,
    );
  await home.sawPublished(published.place, newest);
}

/** Null where there is nothing to prove, or the registry gives none. */
async function proofOf(api: Api, earlier: Checkpoint, now: OpenedCheckpoint): Promise<Buffer[] | null> {
  if (earlier.size === 0 || earlier.size >= now.size) return null;
  const query = { from: String(earlier.size), to: String(now.size) };
  const answer = await api.call('logConsistency', LogProof, { query }).catch((error: unknown) => {
    if (error instanceof LockkeeperError && error.code === 'REQUEST_INVALID') return null;
    throw error;
  });
  return answer === null ? null : answer.proof.map((hash) => Buffer.from(hash, 'base64'));
}

/** Both notes, so that the proof does not depend on this machine's memory of them. */
function misbehaviour(
  context: Context,
  error: LockkeeperError,
  of: { earlier: Published; now: OpenedCheckpoint; proof: readonly Buffer[] | null },
): Result {
  const { code, message } = error;
  const proof = of.proof?.map((hash) => hash.toString('base64')) ?? [];
  const notes = { earlier: of.earlier.note, later: of.now.note };
  const shown = (note: string): string => note.split('\n').map(plain).join('\n');
  return {
    data: { conclusion: 'misbehaviour', code, message, against: of.earlier.path, ...notes, proof },
    text: `${context.paint.red('misbehaviour')}: ${message} [${code}]\n\nSigned before (${of.earlier.path}):\n\n${shown(notes.earlier)}\nSigned now:\n\n${shown(notes.later)}`,
    exit: error.exit,
  };
}
