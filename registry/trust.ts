/** The roots this registry keeps: who may approve, who signs locks, and how one root follows another. */
import { createPublicKey } from 'node:crypto';
import { type ReadRoot, type RootEvidence, readRoot } from '../runtime/trust/root.ts';
import { type Envelope, keyIdOf, seal } from '../schemas/dsse.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import { canonical, digestOf } from '../schemas/json.ts';
import { rootSubject } from '../schemas/log.ts';
import { type Signer as LogSigner, noteKeyOf } from '../schemas/note.ts';
import type { Policy } from '../schemas/policy.ts';
import { ROOT_TYPE, type Root } from '../schemas/root.ts';
import type { Signer } from '../schemas/signer.ts';
import { assertFewKeys } from './auth.ts';
import { type Client, type Pool, withTransaction } from './db/pool.ts';
import { activeKeys, enrolKey, insertRoot } from './db/records.ts';
import { type Current, RootHistory } from './history.ts';
import { addStandby, type RegistryKeys, type RingName } from './keys.ts';
import { recordEvent } from './log.ts';
import { isDue, logNameOf, logSignerOf, makeRoot, SELF, signedBy, type WitnessRole } from './root.ts';

const TURNS = 7_411_002;

export interface Trust {
  /** Signs checkpoints, under a name that is this registry's for good. */
  readonly logSigner: LogSigner;
  readonly trial: boolean;
  /** The newest root; another replica may have signed it. */
  current(): Promise<Current>;
  /** The newest root with what leads to it from these keys, if they were pinned; from its own where none are named. */
  evidence(rootKeys?: readonly string[]): Promise<RootEvidence & Pick<Current, 'trusted'>>;
  /** The key that signs locks under the newest root. */
  lockKey(): Promise<Signer>;
  /** The key that signs verdicts of scans under the newest root. */
  scannerKey(): Promise<Signer>;
  /** Public keys that stand by to replace the ones in use. */
  standby(): Record<'lock' | 'scanner', string> & { log: string };
  enrol(key: { keyid: string; person: string; publicKey: string }): Promise<number>;
  /** Signs the next root: roles of people changed, or a key of its own is replaced. Throws ROOT_OFFLINE. */
  renew(change?: { rotate: RingName; person: string }): Promise<number>;
  /** Takes the next root from its holders; signs it too where the root before it names this registry's key. */
  accept(envelope: Envelope, person: string): Promise<Root>;
}

export interface TrustSetting {
  readonly trial: boolean;
  readonly policy: Policy;
  /** Who cosigns checkpoints and how many of them one takes; null or absent leaves it as the newest root says. */
  readonly log?: WitnessRole | null;
}

/** Makes root version 1 if there is none. Throws CONFIG_INVALID when `trial` is not what the folder was made with. */
export async function openTrust(pool: Pool, keys: RegistryKeys, setting: TrustSetting): Promise<Trust> {
  const trust = new Roots(pool, keys, setting);
  await trust.begin();
  const { trusted } = await trust.current();
  if (trusted.root.trial === setting.trial) return trust;
  const is = (trial: boolean): string => (trial ? 'trial (one approval)' : 'full (two approvals)');
  throw new LockkeeperError('CONFIG_INVALID', {
    expected: `a ${is(trusted.root.trial)} registry, as its data folder was made`,
    found: `a start as ${is(setting.trial)}`,
    next: trusted.root.trial
      ? 'Start with --trial, or begin a new folder with --data'
      : 'Start without --trial, or begin a new folder with --data',
  });
}

class Roots implements Trust {
  readonly trial: boolean;
  readonly #pool: Pool;
  readonly #setting: TrustSetting;
  readonly #history: RootHistory;
  #keys: RegistryKeys;

  constructor(pool: Pool, keys: RegistryKeys, setting: TrustSetting) {
    this.#pool = pool;
    this.#keys = keys;
    this.#history = new RootHistory(keys.pin);
    this.#setting = setting;
    this.trial = setting.trial;
  }

  /** The first root, or the next one: in the last two months of its year, or for other witnesses. */
  async begin(): Promise<void> {
    await withTransaction(this.#pool, async (client) => {
      const newest = await this.#turn(client);
      if (newest && !(this.#isOnline(newest.root) && isDue(newest.root, this.#setting))) return;
      await this.#reissue(client, newest);
    });
  }

  get logSigner(): LogSigner {
    const { newest } = this.#history;
    if (!newest) throw new Error('the registry has no root yet');
    return logSignerOf(this.#keys, newest.root);
  }

  current(): Promise<Current> {
    return this.#history.current(this.#pool);
  }

  async evidence(rootKeys?: readonly string[]): ReturnType<Trust['evidence']> {
    const { envelope: root, trusted } = await this.current();
    const from = rootKeys ?? trusted.root.roles.root.keyids;
    return { root, rootChain: this.#history.chainTo(root, from), trusted };
  }

  lockKey(): Promise<Signer> {
    return this.#ownKey('lock');
  }

  scannerKey(): Promise<Signer> {
    return this.#ownKey('scanner');
  }

  async #ownKey(name: 'lock' | 'scanner'): Promise<Signer> {
    const { trusted } = await this.current();
    const active = trusted.keys(name);
    const key = this.#keys[name].findLast(({ keyid }) => active.has(keyid));
    if (key) return key;
    throw new LockkeeperError('KEY_UNKNOWN', {
      expected: `a ${name} key of this registry in root version ${trusted.root.version}`,
      found: 'none that it has, or none inside its dates',
      next: `Have the root holders name it: lk keys root rotate --role ${name}`,
    });
  }

  standby(): ReturnType<Trust['standby']> {
    const pem = (name: 'lock' | 'scanner'): string => {
      const key = this.#keys[name].at(-1);
      return key ? key.publicKey.export({ type: 'spki', format: 'pem' }).toString() : '';
    };
    const privateKey = this.#keys.log.at(-1);
    const name = logNameOf(this.#keys);
    return {
      lock: pem('lock'),
      scanner: pem('scanner'),
      log: privateKey ? noteKeyOf({ name, privateKey }, 'log') : '',
    };
  }

  async enrol(key: { keyid: string; person: string; publicKey: string }): Promise<number> {
    return withTransaction(this.#pool, async (client) => {
      const newest = await this.#turn(client);
      this.#assertOnline(newest, `add the key of ${key.person}`);
      await assertFewKeys(client, key.person);
      await enrolKey(client, key);
      await recordEvent(client, { person: key.person, action: 'key.enrolled', subject: key.keyid });
      return this.#reissue(client, newest);
    });
  }

  async renew(change?: { rotate: RingName; person: string }): Promise<number> {
    return withTransaction(this.#pool, async (client) => {
      const newest = await this.#turn(client);
      this.#assertOnline(newest, 'change a role');
      if (change)
        await recordEvent(client, { person: change.person, action: 'key.rotated', subject: change.rotate });
      return this.#reissue(client, newest, change?.rotate);
    });
  }

  async accept(envelope: Envelope, person: string): Promise<Root> {
    const next = readRoot(envelope);
    this.#assertServes(next.root);
    return withTransaction(this.#pool, async (client) => {
      const newest = await this.#turn(client);
      const { root: own } = this.#keys;
      const signed =
        newest && own && this.#isOnline(newest.root)
          ? { ...envelope, signatures: [...envelope.signatures, signedBy(own, envelope)] }
          : envelope;
      this.#history.assertNext(signed);
      const subject = rootSubject(next.root);
      await insertRoot(client, next.root.version, signed);
      await recordEvent(client, {
        person,
        action: 'root.accepted',
        subject,
        logged: { kind: 'root', digest: digestOf(signed) },
      });
      return next.root;
    });
  }

  /** Replicas take turns, so that versions neither skip nor repeat. */
  async #turn(client: Client): Promise<ReadRoot | null> {
    await client.query('select pg_advisory_xact_lock($1)', [TURNS]);
    await this.#history.load(client);
    return this.#history.newest;
  }

  #isOnline({ roles }: Root): boolean {
    const { root } = this.#keys;
    return root !== null && roles.root.keyids.includes(keyIdOf(createPublicKey(root)));
  }

  #assertOnline(newest: ReadRoot | null, what: string): void {
    if (!newest || this.#isOnline(newest.root)) return;
    throw new LockkeeperError('ROOT_OFFLINE', {
      expected: `its holders to ${what}: root version ${newest.root.version} is signed away from this registry`,
      found: 'a request that the registry does it by itself',
      next: 'Have the root holders make the next root: lk keys root init',
    });
  }

  async #reissue(client: Client, newest: ReadRoot | null, rotate?: RingName): Promise<number> {
    const { root: own } = this.#keys;
    if (!own) throw new Error('no root key');
    const previous = newest?.root ?? null;
    const reviewers = await activeKeys(client);
    const root = makeRoot({ ...this.#keys, root: own }, { ...this.#setting, reviewers, previous, rotate });
    const envelope = seal(ROOT_TYPE, Buffer.from(canonical(root)), [own]);
    await insertRoot(client, root.version, envelope);
    await recordEvent(client, {
      person: SELF,
      action: 'root.signed',
      subject: rootSubject(root),
      logged: { kind: 'root', digest: digestOf(envelope) },
    });
    if (rotate) this.#keys = await addStandby(this.#keys, rotate);
    return root.version;
  }

  /** A root that this registry could not work under is refused before anybody depends on it. */
  #assertServes(root: Root): void {
    const origin = logNameOf(this.#keys);
    const own = (name: 'lock' | 'scanner'): boolean =>
      this.#keys[name].some(({ keyid }) => root.roles[name].keyids.includes(keyid));
    const log = this.#keys.log.some((privateKey) =>
      root.log.keys.includes(noteKeyOf({ name: origin, privateKey }, 'log')),
    );
    const misses = [
      ...(own('lock') ? [] : ['its lock key']),
      ...(own('scanner') ? [] : ['its scanner key']),
      ...(log && root.log.origin === origin ? [] : ['its log key']),
      ...(root.trial === this.trial ? [] : [`trial: ${this.trial}`]),
    ];
    if (misses.length === 0) return;
    throw new LockkeeperError('ROOT_UNTRUSTED', {
      expected: 'a root that this registry can work under',
      found: `one without ${misses.join(', ')}`,
      next: 'Begin from its newest root: lk keys root init',
    });
  }
}
