/** Verifying mcp.lock: what the runtime and the CI gate believe without asking the registry. */
import { verifyBytes } from '../../schemas/dsse.ts';
import { type Code, LockkeeperError } from '../../schemas/errors.ts';
import { digestOf, sha256 } from '../../schemas/json.ts';
import {
  LOCK_TYPE,
  type Lock,
  type LockFile,
  lockPayload,
  lockSubject,
  parseLockFile,
} from '../../schemas/lock.ts';
import { type Growth, rootSubject } from '../../schemas/log.ts';
import { type EntryContext, entryContext, type VerifiedEntry, verifyEntry } from './entry.ts';
import { assertCounted, assertFresh, assertNotBelow, assertNotOlder, type SeenLock } from './freshness.ts';
import { openLogEvidence } from './logged.ts';
import { assertContinues } from './memory.ts';
import { openRoot, type RootPin, short, type TrustedRoot } from './root.ts';

export interface LockContext {
  readonly pin: RootPin;
  readonly audience: string;
  readonly environment: string;
  readonly now: Date;
  /** Null on first contact. */
  readonly seen: SeenLock | null;
  /** The longest that the project lets a lock live; the root may ask for less. */
  readonly maxLockHours?: number | undefined;
  /** Proofs that were asked for, beside those in the lock: from the checkpoint seen before to the lock's. */
  readonly growth?: readonly Growth[];
  /** What was revoked, or whose approvals are over, is refused by itself, and its neighbours are not. */
  readonly apart?: boolean;
}

export interface VerifiedLock {
  readonly file: LockFile;
  readonly lock: Lock;
  readonly digest: string;
  readonly trusted: TrustedRoot;
  readonly entries: ReadonlyMap<string, VerifiedEntry>;
  /** By alias, where entries are judged apart: what is not among them. */
  readonly refused: ReadonlyMap<string, LockkeeperError>;
  /** What this machine should remember, once everything else is done. */
  readonly seen: SeenLock;
}

/**
 * 1 read the file whole -> 2 root chain and its dates -> 3 lock signature -> 4 audience and environment -> 5 the very
 * root the lock was made under, a policy that is its own -> 6 dates -> 7 rollback of lock and root, least version, root after the one seen -> 8
 * checkpoint: log signature, witnesses, growth since the one seen -> 9 lock and root in the log -> 10 each entry: not revoked, pins, approvals in
 * the log, their threshold of persons -> 11 nothing beside. Throws the refusal of the first step that fails; has no
 * effect, so that a machine's memory moves only after success.
 */
export function verifyLock(bytes: Uint8Array, context: LockContext): VerifiedLock {
  const { now, seen } = context;
  const file = parseLockFile(bytes);
  const { lock, evidence } = file;
  const trusted = openRoot(evidence, context.pin, now);
  const payload = lockPayload(lock);
  assertSignature(file, payload, trusted);
  assertAudience(lock, context);
  assertSameRoot(lock, trusted);
  assertPolicyText(lock);
  const { lockHours } = trusted.root.lifetimes;
  assertFresh(lock, { now, maxHours: Math.min(lockHours, context.maxLockHours ?? lockHours) });
  const digest = sha256(payload);
  assertNotOlder(lock, digest, seen);
  assertNotBelow(lock, trusted, seen);
  if (seen?.root) assertContinues(evidence, seen.root, context.pin);
  const log = openLogEvidence(evidence.log, { role: trusted.root.log, seen, now, growth: context.growth });
  assertCounted(lock, log.checkpoint.size);
  log.assertLogged({ kind: 'lock', subject: lockSubject(lock), digest });
  log.assertLogged({ kind: 'root', subject: rootSubject(trusted.root), digest: digestOf(evidence.root) });
  const at = { ...entryContext(lock, trusted), environment: context.environment, now, log };
  const { entries, refused } = entriesOf(file, at, context.apart === true);
  assertNothingBeside(file, digest);
  const { version: rootVersion } = trusted.root;
  const root = { root: evidence.root, pin: context.pin };
  const remember = { version: lock.version, digest, rootVersion, checkpoint: evidence.log.checkpoint, root };
  return { file, lock, digest, trusted, entries, refused, seen: remember };
}

/** What time and people do to one entry alone. Whatever else does not fit was done to the file. */
const APART: ReadonlySet<Code> = new Set(['RELEASE_REVOKED', 'APPROVAL_EXPIRED']);

function entriesOf(
  file: LockFile,
  at: EntryContext,
  apart: boolean,
): Pick<VerifiedLock, 'entries' | 'refused'> {
  const entries = new Map<string, VerifiedEntry>();
  const refused = new Map<string, LockkeeperError>();
  for (const [alias, entry] of Object.entries(file.lock.servers)) {
    try {
      entries.set(alias, verifyEntry([alias, entry], file, at));
    } catch (thrown) {
      if (!apart || !(thrown instanceof LockkeeperError) || !APART.has(thrown.code)) throw thrown;
      refused.set(alias, thrown);
    }
  }
  return { entries, refused };
}

/** How many lock keys of the root signed it, each counted once. */
export function lockSigners(
  payload: Buffer,
  signatures: LockFile['signatures'],
  keys: ReturnType<TrustedRoot['keys']>,
): number {
  const good = signatures.filter((signature) => {
    const key = keys.get(signature.keyid);
    return key !== undefined && verifyBytes(LOCK_TYPE, payload, signature, key);
  });
  return new Set(good.map(({ keyid }) => keyid)).size;
}

function assertSignature(file: LockFile, payload: Buffer, trusted: TrustedRoot): void {
  const keys = trusted.keys('lock');
  const good = lockSigners(payload, file.signatures, keys);
  const { threshold } = trusted.root.roles.lock;
  if (good >= threshold) return;
  throw new LockkeeperError('SIGNATURE_INVALID', {
    expected: `mcp.lock signed by ${threshold} of the lock keys ${[...keys.keys()].map(short).join(', ') || '(none in the root)'}`,
    found: `${good} good signatures of ${file.signatures.map((signature) => short(signature.keyid)).join(', ')}`,
    next: 'Restore mcp.lock from version control, or run: lk lock',
  });
}

/** The lock names the root it was made under; a root of other days under it is somebody's choice. */
function assertSameRoot({ rootVersion, warning }: Lock, { root }: TrustedRoot): void {
  const refuse = (expected: string, found: string): LockkeeperError =>
    new LockkeeperError('ROOT_UNTRUSTED', {
      expected,
      found,
      next: 'Restore mcp.lock from version control, or run: lk lock',
    });
  if (root.version !== rootVersion)
    throw refuse(`root version ${rootVersion}, as the lock says`, `version ${root.version}`);
  if (root.trial !== (warning !== undefined))
    throw refuse(
      root.trial ? 'a lock that says it is a trial' : 'a lock without a trial’s warning',
      root.trial ? 'one that does not' : 'one with it',
    );
}

/** The digest stands in every record that the policy decides on: it has to be the text's. */
function assertPolicyText({ policy }: Lock): void {
  if (policy === undefined || sha256(policy.text) === policy.digest) return;
  throw new LockkeeperError('POLICY_DIFFERS', {
    expected: `a policy with digest ${short(policy.digest)}, as the lock says`,
    found: `a text with digest ${short(sha256(policy.text))}`,
    next: 'Restore mcp.lock from version control, or run: lk lock',
  });
}

/** Evidence is not signed: what no entry names has no business in it. */
function assertNothingBeside({ lock, evidence }: LockFile, digest: string): void {
  const named = new Set(Object.values(lock.servers).flatMap(({ approvals }) => approvals));
  const proved = new Set([...named, digest, digestOf(evidence.root)]);
  const beside =
    Object.keys(evidence.approvals).find((digest) => !named.has(digest)) ??
    Object.keys(evidence.log.proofs).find((digest) => !proved.has(digest));
  if (beside === undefined) return;
  throw new LockkeeperError('APPROVAL_SUBJECT', {
    expected: 'evidence that an entry of the lock names',
    found: `${short(beside)}, which none names`,
    next: 'Restore mcp.lock from version control, or run: lk lock',
  });
}

function assertAudience(lock: Lock, context: LockContext): void {
  if (lock.audience === context.audience && lock.environment === context.environment) return;
  throw new LockkeeperError('LOCK_AUDIENCE', {
    expected: `a lock for ${context.audience} in ${context.environment}`,
    found: `one for ${lock.audience} in ${lock.environment}`,
    next: 'Run lk lock in this project',
  });
}
