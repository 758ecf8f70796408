/** The root of trust as victim: exchanged, signed by too few, skipped, brought back, weakened, or parted from. */
import type { Envelope } from '../../schemas/dsse.ts';
import { seal } from '../../schemas/dsse.ts';
import type { LockFile } from '../../schemas/lock.ts';
import { ROOT_TYPE, type Root } from '../../schemas/root.ts';
import { memoryLog } from '../helpers/log.ts';
import { at, type Key, logSigner, makeKey, makeLock, makeRoot, people } from '../helpers/trust.ts';
import type { Row } from './row.ts';
import { type LockAttack, lockRow, type Scene } from './scene.ts';

const { mallory } = people;
/** The registry's own key, before the holders took the root over. */
const online = people.root;
const [rita, ron, ruth, sam, sue] = ['rita', 'ron', 'ruth', 'sam', 'sue'].map((name) => makeKey(name)) as [
  Key,
  Key,
  Key,
  Key,
  Key,
];
const ronAgain = makeKey('ron');
const HOLDERS = [rita, ron, ruth];
const pin = { rootKeys: HOLDERS.map(({ keyid }) => keyid), threshold: 2 };

/** A root held by these people, signed by those. */
function rootOf(
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
function under(
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

interface UnderRoot {
  readonly root: Envelope;
  readonly chain: Envelope[];
}

/** A lock under one root is seen; then the honest next lock, and the attacker's. */
function afterSeen(seen: UnderRoot, honest: UnderRoot, forged: UnderRoot): Scene {
  const log = memoryLog(logSigner);
  const before = under(seen.root, seen.chain, { log, from: 0, version: 7 });
  const from = log.size;
  const [good, bad] = [honest, forged].map(({ root, chain }) =>
    under(root, chain, { log, from, version: 8 }),
  );
  return { seen: before, ...(good && bad ? { honest: good, forged: bad } : {}) };
}

const first = rootOf(1, HOLDERS, [rita, ron]);
const handed = rootOf(2, [sam, sue], [rita, ron, sam, sue]);

/** One root alone, against an honest one of the same holders. */
function alone(root: Envelope): Scene {
  return { setting: { pin }, honest: under(first), forged: under(root) };
}

/** The next root after the first, against an honest handover to Sam and Sue. */
function next(root: Envelope, ...between: Envelope[]): Scene {
  const honest = under(handed, [first]);
  return { setting: { pin }, honest, forged: under(root, [first, ...between]) };
}

const weakened = (change: (root: Root) => void): Scene => alone(rootOf(1, HOLDERS, [rita, ron], change));
const datesOf =
  (dates: Record<string, string>) =>
  (root: Root): void => {
    Object.assign(root.keys.find(({ person }) => person === 'ron') ?? {}, dates);
  };

const signing: LockAttack[] = [
  {
    id: 'root-own',
    attacker: 'the network, and keys of their own',
    attack: 'puts a root of their own under the lock',
    code: 'ROOT_UNTRUSTED',
    scene: () => alone(rootOf(1, [mallory], [mallory])),
  },
  {
    id: 'root-one-holder',
    attacker: 'one root key of two needed',
    attack: 'signs a root alone',
    code: 'ROOT_UNTRUSTED',
    scene: () => alone(rootOf(1, HOLDERS, [rita])),
  },
  {
    id: 'root-two-keys-one-holder',
    attacker: 'two root keys of one holder',
    attack: 'signs a root with both of them',
    code: 'ROOT_UNTRUSTED',
    scene: () => {
      const holders = [rita, ron, ronAgain];
      const both = { rootKeys: holders.map(({ keyid }) => keyid), threshold: 2 };
      return {
        setting: { pin: both },
        honest: under(rootOf(1, holders, [rita, ron])),
        forged: under(rootOf(1, holders, [ron, ronAgain])),
      };
    },
  },
  {
    id: 'root-key-expired',
    attacker: 'a root key past its end',
    attack: 'signs a root with it as the second',
    code: 'ROOT_UNTRUSTED',
    scene: () => weakened(datesOf({ notAfter: at(-1) })),
  },
  {
    id: 'root-key-not-yet',
    attacker: 'a root key of tomorrow',
    attack: 'signs a root with it as the second',
    code: 'ROOT_UNTRUSTED',
    scene: () => weakened(datesOf({ notBefore: at(1) })),
  },
  {
    id: 'root-other-type',
    attacker: 'something else that the holders signed',
    attack: 'passes it off as a root',
    code: 'ROOT_UNTRUSTED',
    scene: () => alone(seal('application/json', Buffer.from(first.payload, 'base64'), [rita.key, ron.key])),
  },
];

const following: LockAttack[] = [
  {
    id: 'root-next-self-signed',
    attacker: 'keys of their own',
    attack: 'signs the next root with the keys that it names',
    code: 'ROOT_UNTRUSTED',
    scene: () => next(rootOf(2, [mallory], [mallory])),
  },
  {
    id: 'root-next-old-only',
    attacker: 'the holders who were replaced',
    attack: 'sign the next root without those it names',
    code: 'ROOT_UNTRUSTED',
    scene: () => next(rootOf(2, [sam, sue], [rita, ron])),
  },
  {
    id: 'root-next-new-only',
    attacker: 'the holders who are to come',
    attack: 'sign the next root without those before them',
    code: 'ROOT_UNTRUSTED',
    scene: () => next(rootOf(2, [sam, sue], [sam, sue])),
  },
  {
    id: 'root-skipped',
    attacker: 'the registry',
    attack: 'leaves out the root between',
    code: 'ROOT_UNTRUSTED',
    scene: () => next(rootOf(3, [sam, sue], [rita, ron, sam, sue])),
  },
  {
    id: 'root-repeated',
    attacker: 'the registry',
    attack: 'shows two roots of one version as a chain',
    code: 'ROOT_UNTRUSTED',
    scene: () => next(rootOf(1, [sam, sue], [rita, ron, sam, sue])),
  },
  {
    id: 'root-older',
    attacker: 'the registry',
    attack: 'goes back to the root before, which was seen replaced',
    code: 'ROOT_ROLLBACK',
    scene: () => {
      const chain = [first];
      const seen = { root: handed, chain };
      return { setting: { pin }, ...afterSeen(seen, seen, { root: first, chain: [] }) };
    },
  },
];

const weakening: LockAttack[] = [
  {
    id: 'root-expired',
    attacker: 'an old root',
    attack: 'uses it after its end',
    code: 'ROOT_EXPIRED',
    scene: () => weakened((root) => void (root.expires = at(-1))),
  },
  {
    id: 'root-future',
    attacker: 'the root holders',
    attack: 'sign a root of tomorrow',
    code: 'ROOT_UNTRUSTED',
    scene: () => weakened((root) => void (root.issuedAt = at(24))),
  },
  {
    id: 'root-key-id',
    attacker: 'one who prepares roots for others to sign',
    attack: 'writes their own key under a reviewer’s key id',
    code: 'ROOT_UNTRUSTED',
    scene: () =>
      weakened(
        (root) =>
          void Object.assign(root.keys.find(({ person }) => person === 'bob') ?? {}, {
            publicKey: mallory.pem,
          }),
      ),
  },
  {
    id: 'root-key-twice',
    attacker: 'one who prepares roots for others to sign',
    attack: 'names one key for two persons',
    code: 'ROOT_UNTRUSTED',
    scene: () =>
      weakened((root) => {
        const bob = root.keys.find(({ person }) => person === 'bob');
        if (bob) root.keys.push({ ...bob, person: 'mallory' });
      }),
  },
  {
    id: 'root-one-approval',
    attacker: 'one who prepares roots for others to sign',
    attack: 'lowers the threshold to one approval',
    code: 'ROOT_UNTRUSTED',
    scene: () => weakened((root) => void (root.roles.approver.threshold = 1)),
  },
  {
    id: 'root-trial',
    attacker: 'a trial registry’s root',
    attack: 'puts it under a lock that does not say so',
    code: 'ROOT_UNTRUSTED',
    scene: () => weakened((root) => void (root.trial = true)),
  },
];

/** The registry's own root; then the holders took over. A project that pinned the first key goes on along the chain. */
const own = rootOf(1, [online], [online]);
const taken = rootOf(2, HOLDERS, [online, rita, ron]);
const renewed = rootOf(3, HOLDERS, [rita, ruth]);

function afterHandover(forged: UnderRoot): Scene {
  const honest = { root: renewed, chain: [own, taken] };
  const onlinePin = { rootKeys: [online.keyid], threshold: 1 };
  return { setting: { pin: onlinePin }, ...afterSeen({ root: taken, chain: [own] }, honest, forged) };
}

const former: LockAttack[] = [
  {
    id: 'root-former-key-next',
    attacker: 'the registry’s former online root key',
    attack: 'signs a next root alone, which the pin still vouches for',
    code: 'ROOT_FORK',
    scene: () => afterHandover({ root: rootOf(3, [online], [online]), chain: [] }),
  },
  {
    id: 'root-former-key-same',
    attacker: 'the registry’s former online root key',
    attack: 'signs another root of the version of the handover',
    code: 'ROOT_FORK',
    scene: () => afterHandover({ root: rootOf(2, [mallory], [online, mallory]), chain: [own] }),
  },
  {
    id: 'root-former-key-chain',
    attacker: 'the registry’s former online root key',
    attack: 'goes on from that other root, the real one before it as a disguise',
    code: 'ROOT_FORK',
    scene: () =>
      afterHandover({
        root: rootOf(3, [mallory], [mallory]),
        chain: [taken, own, rootOf(2, [mallory], [online, mallory])],
      }),
  },
];

export const rootRows: readonly Row[] = [...signing, ...following, ...weakening, ...former].map(lockRow);
