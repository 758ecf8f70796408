/** What a server can become, and what of the kernel it can reach. */

import { getSystemErrorName } from 'node:util';
import type { DriverName } from '../../runtime/ports.ts';
import type { Json } from '../../schemas/common.ts';
import { fileOf, type Place } from './place.ts';
import type { Proof } from './proof.ts';
import { EPERM, NOT_THERE, SYSCALLS } from './syscalls.ts';
import { tries } from './tries.ts';

const NONE = '0'.repeat(16);
const GVISOR: Partial<Record<DriverName, string>> = {
  runsc: 'gVisor answers it in its own kernel; the machine’s is not asked',
};

export const privilegeProofs: readonly Proof[] = [
  tries('root', 'be root', { does: ['uid'] }),
  tries('capabilities, effective', 'have one', { does: ['status', ['CapEff', NONE]] }),
  tries('capabilities, permitted', 'have one to take', { does: ['status', ['CapPrm', NONE]] }),
  tries('capabilities, bounding', 'have one to gain', { does: ['status', ['CapBnd', NONE]] }),
  tries('no new privileges', 'gain rights by running a program', {
    does: ['status', ['NoNewPrivs', '1']],
    explained: { runsc: 'gVisor does not tell; that a setuid program gains nothing is the next row' },
  }),
  tries('setuid program', 'become root by one', { does: ['becomeRoot', ['root']] }),
  tries('filter', 'be without a filter of system calls', {
    does: ['status', ['Seccomp', '2']],
    explained: GVISOR,
  }),
  ...Object.keys(SYSCALLS).map(
    (name): Proof => ({
      id: `call ${name}`,
      tries: 'make this system call',
      explained: GVISOR,
      run: async (place) => {
        const end = (await endsOf(place)).get(name) ?? 'not made';
        const errno = typeof end === 'number' ? end : null;
        const word = errno === null ? String(end) : errno === 0 ? 'done' : getSystemErrorName(-errno);
        const refused = errno === null || errno === EPERM || NOT_THERE.has(errno);
        const absent = place.name === 'bare' && refused;
        return { broke: !refused, seen: word, absent };
      },
    }),
  ),
];

const ends = new WeakMap<Place, Promise<Map<string, Json>>>();

/** All calls in one go: each is a process. */
function endsOf(place: Place): Promise<Map<string, Json>> {
  const names = Object.keys(SYSCALLS);
  const known = ends.get(place);
  if (known) return known;
  const made = place
    .probe()
    .then((probe) => probe.attempt('runAll', ...names.map(fileOf)))
    .then(({ codes = [] }) => new Map(names.map((name, index) => [name, codes[index] ?? 'not made'])));
  ends.set(place, made);
  return made;
}
