/** The registry's own keys and the root it keeps: who may approve, who signs locks. */
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openRoot, short, type TrustedRoot } from '../runtime/trust/root.ts';
import { type Envelope, keyIdOf, readPrivateKey, seal, verifiedKeys } from '../schemas/dsse.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import { canonical, digestOf, parseStrict } from '../schemas/json.ts';
import { noteKeyOf, type Signer } from '../schemas/note.ts';
import type { Policy } from '../schemas/policy.ts';
import { type LogRole, ROOT_TYPE, Root, type RootKey } from '../schemas/root.ts';
import { assertValid } from '../schemas/validate.ts';
import { readWitnessKey } from '../schemas/witness.ts';
import { type Client, type Pool, withTransaction } from './db/pool.ts';
import { activeKeys, enrolKey, insertRoot, newestRoot } from './db/records.ts';
import { logThat, recordEvent } from './log.ts';

export interface RegistryKeys {
  readonly root: KeyObject;
  readonly lock: KeyObject;
  readonly scanner: KeyObject;
  readonly log: KeyObject;
}

const YEAR_MS = 365 * 86_400_000;
const RENEW_MS = 60 * 86_400_000;
/** What the registry's own keys are called in the root; no person may take the name. */
export const SELF = 'lockkeeper';

/** Reads the registry's keys, making them at the first start. Files are 0600 in a folder of 0700. */
export async function loadKeys(dir: string): Promise<RegistryKeys> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  return {
    root: await loadKey(dir, 'root'),
    lock: await loadKey(dir, 'lock'),
    scanner: await loadKey(dir, 'scanner'),
    log: await loadKey(dir, 'log'),
  };
}

async function loadKey(dir: string, name: string): Promise<KeyObject> {
  const path = join(dir, `${name}.pem`);
  const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
  await writeFile(path, pem, { mode: 0o600, flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const { mode } = await stat(path);
  if ((mode & 0o077) !== 0) {
    throw new LockkeeperError('CONFIG_INVALID', {
      expected: `${path} readable by its owner alone`,
      found: `mode 0${(mode & 0o777).toString(8)}`,
      next: `Find out who read it, then run: chmod 600 ${path}`,
    });
  }
  return readPrivateKey(await readFile(path, 'utf8')).key;
}

export function keyIdsOf(keys: RegistryKeys): { rootKeys: string[]; threshold: number } {
  return { rootKeys: [keyIdOf(createPublicKey(keys.root))], threshold: 1 };
}

/** The log signs under a name that is this registry's for good. */
function logSignerOf(keys: RegistryKeys): Signer {
  return { name: `lockkeeper/${short(keyIdOf(createPublicKey(keys.root)))}`, privateKey: keys.log };
}

export interface Trust {
  readonly keys: RegistryKeys;
  /** Signs checkpoints, under a name that is this registry's for good. */
  readonly logSigner: Signer;
  readonly trial: boolean;
  /** The newest root, opened again at each call: another replica may have signed a newer one. */
  current(): Promise<{ envelope: Envelope; trusted: TrustedRoot }>;
  enrol(key: { keyid: string; person: string; publicKey: string }): Promise<number>;
  /** Signs the next root: roles of people changed. */
  renew(): Promise<number>;
}

export interface TrustSetting {
  readonly trial: boolean;
  readonly policy: Policy;
  /** Who cosigns checkpoints and how many of them one takes; null or absent leaves it as the newest root says. */
  readonly log?: WitnessRole | null;
}

type WitnessRole = Pick<LogRole, 'witnesses' | 'threshold'>;

/** Makes root version 1 if there is none, and the next where a setting changed. Throws CONFIG_INVALID when `trial` is not what the folder was made with. */
export async function openTrust(pool: Pool, keys: RegistryKeys, setting: TrustSetting): Promise<Trust> {
  const pin = keyIdsOf(keys);
  const current: Trust['current'] = async () => {
    const envelope = await newestRoot(pool);
    if (!envelope)
      throw new LockkeeperError('ROOT_UNTRUSTED', {
        expected: 'a root in the database',
        found: 'none',
        next: 'Start the registry with lk serve first',
      });
    return { envelope, trusted: openRoot(envelope, pin, new Date()) };
  };
  await reissue(pool, keys, { ...setting, first: true });
  const { trusted } = await current();
  if (trusted.root.trial !== setting.trial) {
    const is = (trial: boolean): string => (trial ? 'trial (one approval)' : 'full (two approvals)');
    throw new LockkeeperError('CONFIG_INVALID', {
      expected: `a ${is(trusted.root.trial)} registry, as its data folder was made`,
      found: `a start as ${is(setting.trial)}`,
      next: trusted.root.trial
        ? 'Start with --trial, or begin a new folder with --data'
        : 'Start without --trial, or begin a new folder with --data',
    });
  }
  return {
    keys,
    logSigner: logSignerOf(keys),
    trial: setting.trial,
    current,
    enrol: async (key) => {
      await withTransaction(pool, async (client) => {
        await enrolKey(client, key);
        await recordEvent(client, { person: key.person, action: 'key.enrolled', subject: key.keyid });
      });
      return reissue(pool, keys, { ...setting, first: false });
    },
    renew: () => reissue(pool, keys, { ...setting, first: false }),
  };
}

/** Signs the next root from the enrolled keys. Replicas take turns, so that versions neither skip nor repeat. */
async function reissue(
  pool: Pool,
  keys: RegistryKeys,
  setting: TrustSetting & { readonly first: boolean },
): Promise<number> {
  return withTransaction(pool, async (client) => {
    await client.query('select pg_advisory_xact_lock(7411002)');
    const { rows } = await client.query<{ version: number }>(
      'select coalesce(max(version), 0) as version from roots',
    );
    const last = rows[0]?.version ?? 0;
    const newest = await rootIn(client);
    const log = setting.log ?? newest?.root.log ?? { witnesses: [], threshold: 0 };
    if (setting.first && newest && !isDue(newest, keys, log)) return last;
    const root = makeRoot(last + 1, keys, { ...setting, log, reviewers: await activeKeys(client) });
    const envelope = seal(ROOT_TYPE, Buffer.from(canonical(root)), [keys.root]);
    await insertRoot(client, root.version, envelope);
    await logThat(client, { kind: 'root', subject: `root#${root.version}`, digest: digestOf(envelope) });
    return root.version;
  });
}

interface StoredRoot {
  readonly envelope: Envelope;
  readonly root: Root;
}

async function rootIn(client: Client): Promise<StoredRoot | null> {
  const envelope = await newestRoot(client);
  if (!envelope) return null;
  const root = assertValid(Root, parseStrict(Buffer.from(envelope.payload, 'base64')), 'root.json');
  return { envelope, root };
}

/** A root of ours is signed anew at start in the last two months of its year, or when it names other witnesses. */
function isDue({ envelope, root }: StoredRoot, keys: RegistryKeys, wanted: WitnessRole): boolean {
  const own = createPublicKey(keys.root);
  const mine = verifiedKeys(envelope, new Map([[keyIdOf(own), own]])).size === 1;
  const text = ({ witnesses, threshold }: WitnessRole): string => canonical({ witnesses, threshold });
  return mine && (!(Date.parse(root.expires) > Date.now() + RENEW_MS) || text(root.log) !== text(wanted));
}

function makeRoot(
  version: number,
  keys: RegistryKeys,
  of: {
    trial: boolean;
    policy: Policy;
    log: WitnessRole;
    reviewers: Awaited<ReturnType<typeof activeKeys>>;
  },
): Root {
  const now = new Date();
  const expires = new Date(now.getTime() + YEAR_MS).toISOString();
  const own = (key: KeyObject): RootKey => {
    const publicKey = createPublicKey(key);
    return {
      keyid: keyIdOf(publicKey),
      publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
      person: SELF,
      notBefore: now.toISOString(),
      notAfter: expires,
    };
  };
  const [root, lock, scanner] = [own(keys.root), own(keys.lock), own(keys.scanner)];
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
  const log = logSignerOf(keys);
  assertOthers(log, of.log);
  return {
    lockkeeper: 'root/v1',
    version,
    issuedAt: now.toISOString(),
    expires,
    trial: of.trial,
    keys: [root, lock, scanner, ...reviewers],
    roles: {
      root: { keyids: [root.keyid], threshold: 1 },
      approver: { keyids: approvers, threshold: of.trial ? 1 : of.policy.approvals.threshold },
      lock: { keyids: [lock.keyid], threshold: 1 },
      scanner: { keyids: [scanner.keyid], threshold: 1 },
      revoker: { keyids: approvers, threshold: 1 },
    },
    log: {
      origin: log.name,
      keys: [noteKeyOf(log, 'log')],
      witnesses: [...of.log.witnesses],
      threshold: of.log.threshold,
    },
    lifetimes: { lockHours: of.policy.lock.maxAgeHours, approvalDays: of.policy.approvals.maxAgeDays },
    minLockVersions: {},
    trustRoots: {},
  };
}

/** Signatures are told apart by name: a witness of the log's name would sign as the log. */
function assertOthers({ name }: Signer, { witnesses }: WitnessRole): void {
  if (!witnesses.some((key) => readWitnessKey(key).name === name)) return;
  throw new LockkeeperError('CONFIG_INVALID', {
    expected: 'witnesses of other names than the log’s',
    found: name,
    next: 'Start the witness with another --name, and correct LOCKKEEPER_WITNESSES',
  });
}
