/** Roots that holders really signed, and locks under them. */
import type { Envelope } from '../../schemas/dsse.ts';
import { seal } from '../../schemas/dsse.ts';
import type { LockFile } from '../../schemas/lock.ts';
import { ROOT_TYPE, type Root } from '../../schemas/root.ts';
import { memoryLog } from '../helpers/log.ts';
import { type Key, logSigner, makeKey, makeLock, makeRoot, people } from '../helpers/trust.ts';
import type { Scene } from './scene.ts';

/** The registry's own key, before the holders took the root over. */
export const online = people.root;
export const [rita, ron, ruth, sam, sue] = ['rita', 'ron', 'ruth', 'sam', 'sue'].map((name) =>
  makeKey(name),
) as [Key, Key, Key, Key, Key];
export const ronAgain = makeKey('ron');
export const HOLDERS = [rita, ron, ruth];
export const pin = { rootKeys: HOLDERS.map(({ keyid }) => keyid), threshold: 2 };

/** A root held by these people, signed by those. */
export function rootOf(
  version: number,
  holders: readonly Key[],
  by: readonly Key[],
  change: (root: Root) => void = () => undefined,
): Envelope {
  const { payload } = makeRoot((root) => {
    const [known] = root.keys;
    if (!known) throw new Error('no keys');
    const entries = holders.map(({ keyid, person, pem: publicKey }) => ({
      ...known,
      keyid,
      person,
      publicKey,
    }));
    root.version = version;
    root.keys = [...entries, ...root.keys.slice(1)];
    root.roles.root = { keyids: holders.map(({ keyid }) => keyid), threshold: holders.length > 1 ? 2 : 1 };
    change(root);
  });
  return seal(
    ROOT_TYPE,
    Buffer.from(payload, 'base64'),
    by.map(({ key }) => key),
  );
}

/** A lock under this root, in a log of its own or in one whose size was seen to be `from`. */
export function under(
  root: Envelope,
  rootChain: Envelope[] = [],
  in_ = { log: memoryLog(logSigner), from: 0, version: 7 },
): LockFile {
  const { version: rootVersion } = JSON.parse(Buffer.from(root.payload, 'base64').toString()) as Root;
  const { log, from, version } = in_;
  return makeLock({
    root,
    rootChain,
    log,
    lock: (lock) => void Object.assign(lock, { version, rootVersion }),
    evidence: (of, entries) => of.evidence(entries, { from: from > 0 ? [from] : [] }),
  });
}

export interface UnderRoot {
  readonly root: Envelope;
  readonly chain: Envelope[];
}

/** A lock under one root is seen; then the honest next lock, and the attacker's. */
export function afterSeen(seen: UnderRoot, honest: UnderRoot, forged: UnderRoot): Scene {
  const log = memoryLog(logSigner);
  const before = under(seen.root, seen.chain, { log, from: 0, version: 7 });
  const from = log.size;
  const [good, bad] = [honest, forged].map(({ root, chain }) =>
    under(root, chain, { log, from, version: 8 }),
  );
  return { seen: before, ...(good && bad ? { honest: good, forged: bad } : {}) };
}
