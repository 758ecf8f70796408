/** The next root of a registry that keeps its root key itself: made from the enrolled keys and the root before it. */
import type { KeyObject } from 'node:crypto';
import { short } from '../runtime/trust/root.ts';
import { type Envelope, signBytes } from '../schemas/dsse.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import { canonical } from '../schemas/json.ts';
import { type Signer as LogSigner, noteKeyOf } from '../schemas/note.ts';
import type { Policy } from '../schemas/policy.ts';
import type { LogRole, Root, RootKey } from '../schemas/root.ts';
import { keySigner, type Signer } from '../schemas/signer.ts';
import { readWitnessKey } from '../schemas/witness.ts';
import type { ReviewerKey } from './db/records.ts';
import type { KeyRing, RegistryKeys, RingName } from './keys.ts';

const HOUR_MS = 3_600_000;
const RENEW_MS = 60 * 24 * HOUR_MS;
const YEAR_MS = 365 * 24 * HOUR_MS;
/** What the registry's own keys are called in the root; no person may take the name. */
export const SELF = 'lockkeeper';

export type WitnessRole = Pick<LogRole, 'witnesses' | 'threshold'>;

export interface NextRoot {
  readonly trial: boolean;
  readonly policy: Policy;
  readonly reviewers: readonly ReviewerKey[];
  readonly previous: Root | null;
  /** Null or absent leaves the witnesses of the root before it. */
  readonly log?: WitnessRole | null;
  /** The role whose key standing by takes over. The one before it counts until no lock of its days is left. */
  readonly rotate?: RingName | undefined;
}

/** The log signs under a name that is this registry's for good, whatever keys come after. */
export function logNameOf({ pin }: Pick<RegistryKeys, 'pin'>): string {
  return `lockkeeper/${short(pin.rootKeys[0] ?? '')}`;
}

/** The newest key of the log that the root names. */
export function logSignerOf(keys: Pick<RegistryKeys, 'pin' | 'log'>, root: Root): LogSigner {
  const name = logNameOf(keys);
  const listed = keys.log.filter((privateKey) =>
    root.log.keys.includes(noteKeyOf({ name, privateKey }, 'log')),
  );
  const privateKey = listed.at(-1) ?? keys.log[0];
  if (!privateKey) throw new Error('no log key');
  return { name, privateKey };
}

export function makeRoot(keys: RegistryKeys & { readonly root: KeyObject }, of: NextRoot): Root {
  const now = new Date();
  const expires = new Date(now.getTime() + YEAR_MS).toISOString();
  const previous = of.previous;
  const entryOf: EntryOf = ({ keyid, publicKey }, notAfter = expires) => ({
    keyid,
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    person: SELF,
    notBefore: previous?.keys.find((known) => known.keyid === keyid)?.notBefore ?? now.toISOString(),
    notAfter,
  });
  const ringOf = (name: 'lock' | 'scanner'): RootKey[] => ringEntries(keys[name], { name, of, now, entryOf });
  const [lock, scanner] = [ringOf('lock'), ringOf('scanner')];
  const root = entryOf(keySigner(keys.root));
  const reviewers = of.reviewers.map(
    ({ keyid, person, publicKey, enrolledAt }): RootKey => ({
      keyid,
      person,
      publicKey,
      notBefore: enrolledAt,
      notAfter: expires,
    }),
  );
  const approvers = reviewers.map((key) => key.keyid);
  const idsOf = (entries: readonly RootKey[]): string[] => entries.map((key) => key.keyid);
  return {
    lockkeeper: 'root/v1',
    version: (previous?.version ?? 0) + 1,
    issuedAt: now.toISOString(),
    expires,
    trial: of.trial,
    keys: [root, ...lock, ...scanner, ...reviewers],
    roles: {
      root: { keyids: [root.keyid], threshold: 1 },
      approver: { keyids: approvers, threshold: of.trial ? 1 : of.policy.approvals.threshold },
      lock: { keyids: idsOf(lock), threshold: 1 },
      scanner: { keyids: idsOf(scanner), threshold: 1 },
      revoker: { keyids: approvers, threshold: 1 },
    },
    log: { ...logRole(keys, of), ...witnessRole(keys, of) },
    lifetimes: {
      lockHours: of.policy.lock.maxAgeHours,
      approvalDays: of.policy.approvals.maxAgeDays,
      graceHours: previous?.lifetimes.graceHours ?? {},
    },
    minLockVersions: previous?.minLockVersions ?? {},
    trustRoots: previous?.trustRoots ?? {},
  };
}

type EntryOf = (key: Pick<Signer, 'keyid' | 'publicKey'>, notAfter?: string) => RootKey;

/** The key in use, with the one it replaces while locks of that one may live. */
function ringEntries(
  ring: KeyRing,
  at: { name: 'lock' | 'scanner'; of: NextRoot; now: Date; entryOf: EntryOf },
): RootKey[] {
  const { name, of, now, entryOf } = at;
  const known = new Map(of.previous?.keys.map((key) => [key.keyid, key]));
  const named = (of.previous?.roles[name].keyids ?? []).filter(
    (keyid) => Date.parse(known.get(keyid)?.notAfter ?? '') > now.getTime(),
  );
  const used = ring.filter(({ keyid }) => named.includes(keyid));
  const [first] = ring;
  const current = used.length > 0 ? used : first ? [first] : [];
  const standby = ring.at(-1);
  const turn = of.rotate === name && standby !== undefined;
  if (turn && current.includes(standby)) throw noStandby(name);
  const next = turn ? [...current, standby] : current;
  const until = new Date(now.getTime() + of.policy.lock.maxAgeHours * HOUR_MS).toISOString();
  return next.map((key, index) => {
    if (index === next.length - 1) return entryOf(key);
    const before = known.get(key.keyid)?.notAfter ?? until;
    return entryOf(key, [before, until].sort()[0]);
  });
}

function noStandby(name: string): LockkeeperError {
  return new LockkeeperError('KEY_UNKNOWN', {
    expected: `another ${name} key of this registry that stands by`,
    found: 'none behind the one in use, which is behind a program',
    next: 'Start the registry with LOCKKEEPER_LOCK_SIGNER at the next one, then rotate',
  });
}

function logRole(keys: RegistryKeys, of: NextRoot): { origin: string; keys: string[] } {
  const origin = logNameOf(keys);
  const all = keys.log.map((privateKey) => noteKeyOf({ name: origin, privateKey }, 'log'));
  const listed = all.filter((key) => of.previous?.log.keys.includes(key));
  const current = listed.length > 0 ? listed : all.slice(0, 1);
  const standby = all.at(-1);
  const turn = of.rotate === 'log' && standby !== undefined && !current.includes(standby);
  return { origin, keys: (turn ? [...current, standby] : current).slice(-2) };
}

/** Signatures are told apart by name: a witness of the log's name would sign as the log. */
function witnessRole(keys: RegistryKeys, { log, previous }: NextRoot): WitnessRole {
  const { witnesses, threshold } = log ?? previous?.log ?? { witnesses: [], threshold: 0 };
  const origin = logNameOf(keys);
  if (!witnesses.some((key) => readWitnessKey(key).name === origin))
    return { witnesses: [...witnesses], threshold };
  throw new LockkeeperError('CONFIG_INVALID', {
    expected: 'witnesses of other names than the log’s',
    found: origin,
    next: 'Start the witness with another --name, and correct LOCKKEEPER_WITNESSES',
  });
}

/** One signature over the bytes of an envelope. */
export function signedBy(key: KeyObject, { payloadType, payload }: Envelope): Envelope['signatures'][number] {
  return signBytes(payloadType, Buffer.from(payload, 'base64'), key);
}

/** In the last two months of its year, or for other witnesses. */
export function isDue({ expires, log }: Root, { log: wanted = null }: Pick<NextRoot, 'log'>): boolean {
  const text = ({ witnesses, threshold }: WitnessRole): string => canonical({ witnesses, threshold });
  const others = wanted !== null && text(wanted) !== text(log);
  return others || !(Date.parse(expires) > Date.now() + RENEW_MS);
}
