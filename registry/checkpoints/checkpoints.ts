/** Checkpoints as the registry gives them out: made, cosigned by the witnesses, published; and which one may be served. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { openCheckpoint } from '../../runtime/trust/checkpoint.ts';
import { asLockkeeperError, LockkeeperError } from '../../schemas/errors.ts';
import type { LogRole } from '../../schemas/root.ts';
import { readWitnessKey, withLines } from '../../schemas/witness.ts';
import { cosignaturesOf, newestSigned } from '../db/cosignatures.ts';
import { logSize, type StoredCheckpoint } from '../db/log.ts';
import type { Pool } from '../db/pool.ts';
import { insertEvent } from '../db/records.ts';
import { checkpoint } from '../log.ts';
import { SELF } from '../root.ts';
import type { Trust } from '../trust.ts';
import { type Publish, publishing } from './publish.ts';
import { askWitness, sizeSeenBy, type Witness, witnessId } from './witness-client.ts';

/** A checkpoint whose note carries every cosignature line that is stored for it. */
export type CosignedCheckpoint = StoredCheckpoint;

export interface Checkpoints {
  /** The newest that as many witnesses signed as the root asks for; without any, the newest. */
  newest(): Promise<CosignedCheckpoint>;
  /** One of at least this size with the root's quorum. Throws LOG_WITNESS, or LOG_ROLLBACK for a smaller log. */
  witnessed(atLeast: number): Promise<CosignedCheckpoint>;
  /** Makes, cosigns and publishes what there is: what the schedule does. */
  refresh(): Promise<void>;
  /**
   * Asked before anything is added: a database that was restored from a backup may be older than what witnesses signed,
   * and what it went on to log would be another history. Throws LOG_ROLLBACK.
   */
  assertNotBehind(): Promise<void>;
}

export interface CheckpointParts {
  readonly pool: Pool;
  readonly trust: Trust;
  readonly log: Logger;
  readonly witnesses: readonly Witness[];
  /** Puts a note where others can see it. */
  readonly publish: Publish | null;
}

/** Readers do not make the registry ask a witness again that failed this short a while ago. */
const PAUSE_MS = 10_000;
/** How often a replica tries again that another one overtook, and how much longer it waits each time, at most. */
const MAX_ROUNDS = 8;
const OVERTAKEN_MS = 50;

/** For the lock route: the checkpoint that a lock's entry can be proved in. */
export async function witnessedCheckpoint(
  { checkpoints }: { readonly checkpoints: Checkpoints },
  atLeast: number,
): Promise<CosignedCheckpoint> {
  return checkpoints.witnessed(atLeast);
}

interface Round {
  readonly size: number;
  readonly ahead: boolean;
}

export function openCheckpoints(parts: CheckpointParts): Checkpoints {
  const { pool, trust } = parts;
  const role = async (): Promise<LogRole> => (await trust.current()).trusted.root.log;
  const told = teller(parts);
  let running: Promise<Round> | null = null;
  let asked = { size: -1, at: 0 };
  const round = async (): Promise<Round> => {
    const made = await checkpoint(pool, trust.logSigner);
    const answers = await Promise.all(
      parts.witnesses.map((witness) =>
        askWitness(pool, witness, made).then(
          (answer) => told(witness, answer),
          (error: unknown) => told(witness, error),
        ),
      ),
    );
    asked = { size: made.size, at: Date.now() };
    return { size: made.size, ahead: answers.some((answer) => typeof answer === 'number') };
  };
  // One round at a time: whoever comes meanwhile takes part in it.
  const shared = (): Promise<Round> => {
    running ??= round().finally(() => {
      running = null;
    });
    return running;
  };
  const served = async (): Promise<CosignedCheckpoint> => {
    const log = await role();
    const made = await checkpoint(pool, trust.logSigner);
    return withCosignatures(pool, (await quorum(pool, log, 1)) ?? made, log);
  };
  const published = publishing({
    ...parts,
    newest: async () => (await served()).note,
    keys: async () => (await role()).keys,
  });
  return {
    newest: async () => {
      const { size } = await checkpoint(pool, trust.logSigner);
      if (asked.size !== size || Date.now() - asked.at > PAUSE_MS) {
        const fresh = asked.size !== size;
        await shared();
        if (fresh) published();
      }
      return served();
    },
    witnessed: async (atLeast) => {
      const log = await role();
      for (let left = MAX_ROUNDS; ; left--) {
        const last = await shared();
        // The round that ran may have begun before the entry was there; the next one has not.
        if (last.size < atLeast && left < MAX_ROUNDS) throw shrunk(atLeast, last.size);
        const found = last.size < atLeast ? null : await quorum(pool, log, atLeast);
        // Another replica was faster with a larger checkpoint: then that one will do.
        if (found === null && left > 0 && (last.size < atLeast || last.ahead)) {
          // It may have its cosignature and not have stored it yet.
          if (last.ahead) await sleep((MAX_ROUNDS - left + 1) * OVERTAKEN_MS * Math.random());
          continue;
        }
        published();
        const best = await withCosignatures(pool, found ?? (await checkpoint(pool, trust.logSigner)), log);
        openCheckpoint(best.note, log);
        return best;
      }
    },
    refresh: async () => {
      await shared();
      published();
    },
    assertNotBehind: async () => {
      const made = await checkpoint(pool, trust.logSigner);
      const asked = parts.witnesses.map((witness) => sizeSeenBy(witness, made).catch(() => 0));
      const seen = Math.max(0, ...(await Promise.all(asked)));
      if (seen > (await logSize(pool))) throw ahead(made.size, seen);
    },
  };
}

/** A checkpoint of more entries than there are is what is left of a log that was cut back: it may not be served. */
async function quorum(pool: Pool, log: LogRole, atLeast: number): Promise<StoredCheckpoint | null> {
  const atMost = await logSize(pool);
  return newestSigned(pool, { witnesses: idsOf(log), threshold: log.threshold, atLeast, atMost });
}

function idsOf(log: LogRole): string[] {
  return log.witnesses.map((key) => witnessId(readWitnessKey(key)));
}

/** Lines of the root's witnesses alone: what somebody else put in the table is not passed on. */
async function withCosignatures(
  pool: Pool,
  { size, root, note }: StoredCheckpoint,
  log: LogRole,
): Promise<CosignedCheckpoint> {
  const lines = await cosignaturesOf(pool, size);
  return {
    size,
    root,
    note: withLines(
      note,
      idsOf(log).flatMap((id) => lines.get(id) ?? []),
    ),
  };
}

function ahead(size: number, seen: number): LockkeeperError {
  return new LockkeeperError('LOG_ROLLBACK', {
    expected: `the ${seen} entries that a witness has seen`,
    found: `${size} in this database`,
    next: 'If it was restored from a backup, restore a newer one (docs/recovery.md); if not, the log was cut back: keep the database as it is and tell your security team',
  });
}

function shrunk(expected: number, found: number): LockkeeperError {
  return new LockkeeperError('LOG_ROLLBACK', {
    expected: `a log of at least ${expected} entries`,
    found: `${found}`,
    next: 'The log was changed outside of Lockkeeper: keep the database as it is and tell your security team',
  });
}

/** Says what became of a witness when it changes, in the log and as an event; passes its answer on. */
function teller({ pool, log }: CheckpointParts): (witness: Witness, answer: unknown) => Promise<unknown> {
  const before = new Map<string, string>();
  const errorOf = async (answer: unknown): Promise<unknown> => {
    if (typeof answer !== 'number') return answer === 'signed' ? null : answer;
    // Another replica may have been faster with a larger checkpoint: then the entries are there.
    const size = await logSize(pool);
    return answer > size ? ahead(size, answer) : null;
  };
  return async (witness, answer) => {
    const error = await errorOf(answer);
    const said = error === null ? '' : asLockkeeperError(error).message;
    if ((before.get(witness.key) ?? '') === said) return answer;
    before.set(witness.key, said);
    const { name } = readWitnessKey(witness.key);
    if (error !== null) log.error({ err: error, witness: name }, 'no cosignature');
    const action = error === null ? 'witness.signs' : 'witness.refused';
    await insertEvent(pool, { person: SELF, action, subject: name, detail: { said } }).catch(() => undefined);
    return answer;
  };
}
