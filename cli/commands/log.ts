import { resolve } from 'node:path';
import { assertGrew, type OpenedCheckpoint, openCheckpoint } from '../../runtime/trust/checkpoint.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { LogProof, LogView } from '../../schemas/log.ts';
import type { LogRole } from '../../schemas/root.ts';
import type { Api } from '../api.ts';
import { type Command, type Context, type Result, text, type Values } from '../command.ts';
import { plain } from '../output.ts';
import { type Published, readPublished } from '../published.ts';
import { rootOfToday } from '../roots.ts';

export const log: Command = {
  summary:
    'verify the registry’s transparency log: signature, witnesses, and that it continues what was published',
  words: 'verify | key',
  options: { against: { type: 'string' } },
  optionHelp: {
    against: 'a checkpoint seen before, or a folder that the registry publishes in (LOCKKEEPER_PUBLISH)',
  },
  examples: ['lk log verify', 'lk log verify --against ./published', 'lk log key'],
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

/** 1 the log's signature, 2 that it continues each checkpoint given, 3 the witnesses: what is worst is said first. */
async function verifyLog(context: Context, values: Values): Promise<Result> {
  const against = text(values, 'against');
  const published = against === undefined ? [] : await readPublished(resolve(context.cwd, against));
  const api = await context.api();
  const role = await logRole(context, api);
  const { checkpoint } = await api.call('log', LogView);
  const unwitnessed = { ...role, threshold: 0 };
  const now = openCheckpoint(checkpoint, unwitnessed);
  for (const one of published) {
    const earlier = openCheckpoint(one.note, unwitnessed);
    const proof = await proofOf(api, earlier, now);
    try {
      assertGrew(earlier, now, proof);
    } catch (error) {
      if (error instanceof LockkeeperError && error.exit === 3)
        return misbehaviour(context, error, { earlier: one, now, proof });
      throw error;
    }
  }
  const { witnesses } = openCheckpoint(checkpoint, role);
  const seen = [...witnesses].map(([name, time]) => ({ name, at: new Date(time * 1000).toISOString() }));
  return {
    data: {
      conclusion: 'ok',
      origin: now.origin,
      size: now.size,
      witnesses: seen,
      continues: published.length,
    },
    text: `${context.paint.green('ok')}: the log ${now.origin} has ${now.size} entries, signed${seen.length ? ` and seen by ${seen.map(({ name, at }) => `${name} at ${at}`).join(', ')}` : '; no witness is asked for'}.${published.length ? `\nIt continues the ${published.length} checkpoint${published.length === 1 ? '' : 's'} of ${against}.` : ''}`,
  };
}

/** Null where there is nothing to prove, or the registry gives none. */
async function proofOf(api: Api, earlier: OpenedCheckpoint, now: OpenedCheckpoint): Promise<Buffer[] | null> {
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
