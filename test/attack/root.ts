/** The root of trust as victim: exchanged, signed by too few, skipped, brought back or weakened. */
import type { Envelope } from '../../schemas/dsse.ts';
import { seal } from '../../schemas/dsse.ts';
import type { Root } from '../../schemas/root.ts';
import { at, people } from '../helpers/trust.ts';
import { afterSeen, HOLDERS, pin, rita, ron, ronAgain, rootOf, sam, sue, under } from './roots.ts';
import type { Row } from './row.ts';
import { type LockAttack, lockRow, type Scene } from './scene.ts';

const { mallory } = people;

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

export const rootRows: readonly Row[] = [...signing, ...following, ...weakening].map(lockRow);
