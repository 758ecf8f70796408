/** The log in the database as victim: rewritten with its whole tree, or cut back; what client and witness say, with proof. */
import { checkpoint } from '../../registry/log.ts';
import type { LockFile } from '../../schemas/lock.ts';
import { asSuperuser, type Company, carelessLock, makeCompany, rewriteLog } from './company.ts';
import { widenApproval } from './edits.ts';
import { clientProof, fork, other, type Stage, smaller, toldCutBack, witnessProof } from './proofs.ts';
import { must, type Row, type Scenario } from './row.ts';
import type { World } from './world.ts';

const SUPERUSER = 'a superuser of the database, and the log key';

interface Rewriting {
  readonly rewrite: (company: Company) => Promise<void>;
  readonly next: (stage: Stage) => Promise<unknown>;
  readonly after: (stage: Stage) => Promise<string> | string;
  readonly witnessed?: boolean;
}

/** A machine that took a lock; a twin takes it too, and asks about it; then the log is rewritten. */
async function staged(
  world: World,
  { rewrite, next, after, witnessed = true }: Rewriting,
): Promise<Scenario> {
  const company = await makeCompany(world, { witnessed });
  const [twin, machine] = [await company.machine(), await company.machine()];
  const lock = await company.lock(machine);
  await machine.start(lock);
  const stage = { company, machine, lock };
  return {
    control: () => twin.start(lock),
    attack: async () => {
      await rewrite(company);
      await next(stage);
    },
    state: () => machine.state(),
    after: () => after(stage),
  };
}

/** Bob's approval, and the entry that proves it, exchanged for another; all hashes above made anew. */
async function approvalAndLog(company: Company): Promise<void> {
  await asSuperuser(company, async (client) => {
    const { before, after } = await widenApproval(client);
    await rewriteLog(client, (entries) => {
      const forged = entries.map((entry) => Buffer.from(entry.toString().replace(before, after)));
      must(
        forged.some((entry, n) => !entry.equals(entries[n] ?? entry)),
        'no entry was rewritten',
      );
      return forged;
    });
  });
}

const submission = (company: Company): Promise<void> =>
  asSuperuser(company, (client) =>
    rewriteLog(client, (entries) =>
      entries.map((entry) => Buffer.from(entry.toString().replace('"submission"', '"rejection"'))),
    ),
  );

const cutBack = (company: Company): Promise<void> =>
  asSuperuser(company, (client) => rewriteLog(client, (entries) => entries.slice(0, -3)));

const useAgain = ({ machine, lock }: Stage): Promise<void> => machine.start(lock);

/** The registry asks its witness about the rewritten log as it stands, then for the next lock, checking nothing itself. */
async function nextLock({ company, machine }: Stage): Promise<void> {
  await company.registry.deps.checkpoints.refresh();
  await machine.start(await carelessLock(company, machine));
}

/** The lock that the rewritten registry makes of its own accord, no witness asked. */
async function unwitnessedLock({ company, machine }: Stage): Promise<LockFile> {
  const { pool, deps } = company.registry;
  return carelessLock(company, machine, () => checkpoint(pool, deps.trust.logSigner));
}

const both = 'rewrites an approval, its log entry and the whole tree';
const rewritings: readonly (Omit<Row, 'run' | 'attacker'> & Rewriting)[] = [
  {
    id: 'rewritten-client',
    attack: `${both}; the client asks about the lock it holds`,
    refusedBy: 'gate',
    code: 'LOG_FORK',
    rewrite: approvalAndLog,
    next: useAgain,
    after: clientProof('LOG_FORK', fork),
  },
  {
    id: 'rewritten-witness',
    attack: `${both}; the registry asks its witness and signs the next lock`,
    refusedBy: 'witness',
    code: 'LOG_WITNESS',
    rewrite: approvalAndLog,
    next: nextLock,
    after: witnessProof,
  },
  {
    id: 'rewritten-next-lock',
    attack: `${both}; the client meets the next lock, without a witness in its root`,
    refusedBy: 'runtime and gate',
    code: 'LOG_FORK',
    witnessed: false,
    rewrite: approvalAndLog,
    next: async (stage) => stage.machine.start(await unwitnessedLock(stage), { ask: false }),
    after: clientProof('LOG_FORK', other),
  },
  {
    id: 'rewritten-unwitnessed',
    attack: `${both}; a machine that never saw the log before meets the next lock`,
    refusedBy: 'runtime and gate',
    code: 'LOG_WITNESS',
    rewrite: approvalAndLog,
    next: async (stage) => (await stage.company.machine()).start(await unwitnessedLock(stage)),
    after: () => '',
  },
  {
    id: 'rewritten-entry',
    attack: 'rewrites one entry of the log and the whole tree',
    refusedBy: 'gate',
    code: 'LOG_FORK',
    rewrite: submission,
    next: useAgain,
    after: clientProof('LOG_FORK', fork),
  },
  {
    id: 'truncated-client',
    attack: 'cuts the log back; the client asks about the lock it holds',
    refusedBy: 'gate',
    code: 'LOG_ROLLBACK',
    rewrite: cutBack,
    next: useAgain,
    after: clientProof('LOG_ROLLBACK', smaller),
  },
  {
    id: 'truncated-witness',
    attack: 'cuts the log back; the registry asks its witness and signs the next lock',
    refusedBy: 'witness',
    code: 'LOG_WITNESS',
    rewrite: cutBack,
    next: nextLock,
    after: toldCutBack,
  },
];

/** The row of the lock that was handed out, exchanged or gone. */
const lockRowChanged = (
  id: string,
  attack: string,
  sql: string,
): Omit<Row, 'run' | 'attacker'> & Rewriting => ({
  id,
  attack,
  refusedBy: 'gate',
  code: 'LOCK_EQUIVOCATION',
  rewrite: (company) => asSuperuser(company, (client) => client.query(sql)),
  next: useAgain,
  after: ({ machine }) => {
    const [proof] = machine.proofs();
    must(proof?.code === 'LOCK_EQUIVOCATION', 'the client kept no proof');
    must(
      Boolean((proof?.earlier as LockFile | undefined)?.signatures.length),
      'the proof holds no signed lock',
    );
    return 'the client kept the signed lock';
  },
});

export const rewrittenRows: readonly Row[] = [
  ...rewritings,
  lockRowChanged(
    'db-lock-replaced',
    'exchanges the lock that was handed out',
    `update locks set digest = 'sha256:' || repeat('7', 64)`,
  ),
  lockRowChanged('db-lock-gone', 'deletes the lock that was handed out', 'delete from locks'),
].map(({ id, attack, refusedBy, code, ...rewriting }) => ({
  id,
  attacker: SUPERUSER,
  attack,
  refusedBy,
  code,
  run: (world) => staged(world, rewriting),
}));
