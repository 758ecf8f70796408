/** The root of trust as victim of the key that kept it before its holders took it over. */
import { people } from '../helpers/trust.ts';
import { afterSeen, HOLDERS, online, rita, ron, rootOf, ruth, type UnderRoot } from './roots.ts';
import type { Row } from './row.ts';
import { type LockAttack, lockRow, type Scene } from './scene.ts';

const { mallory } = people;

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
  {
    id: 'root-former-key-behind',
    attacker: 'the registry’s former online root key',
    attack: 'puts a root of its own behind a later one of the holders',
    code: 'ROOT_FORK',
    scene: () =>
      afterHandover({
        root: rootOf(3, [online], [online]),
        chain: [rootOf(4, HOLDERS, [rita, ron])],
      }),
  },
];

export const handoverRows: readonly Row[] = former.map(lockRow);
