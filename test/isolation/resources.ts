/** What a server can take of this machine. */
import type { Proof } from './proof.ts';
import { orEnded, tries } from './tries.ts';

const PER_PROCESS =
  'without control groups (no root, none delegated) memory is limited for each process alone';

export const resourceProofs: readonly Proof[] = [
  {
    id: 'memory',
    tries: 'take 1024 MiB where 256 are given',
    run: async (place) => {
      const probe = await place.fresh({ memoryMiB: 256 });
      const { broke } = await orEnded(probe.attempt('eat', 1024, 256));
      const reached = Math.max(
        0,
        ...[...probe.lastWords().matchAll(/(\d+) MiB/g)].map(([, size]) => Number(size)),
      );
      await probe.stop();
      return { broke: broke || reached > 256, seen: broke ? `${reached} MiB` : `ended at ${reached} MiB` };
    },
  },
  {
    id: 'memory, all together',
    tries: 'take 4 times 200 MiB in four processes where 512 are given',
    explained: { bubblewrap: PER_PROCESS },
    run: async (place) => {
      const probe = await place.fresh({ memoryMiB: 512 });
      const found = await orEnded(probe.attempt('eatTogether', 4, 200));
      await probe.stop();
      return found;
    },
  },
  {
    id: 'processor time',
    tries: 'use more than a tenth of a processor',
    explained: {
      bubblewrap:
        'without control groups (no root, none delegated) processor time is not limited, and the journal says so',
      runsc:
        'gVisor’s clocks count otherwise; the limit is the control group’s, read back before the first message',
    },
    run: async (place) => {
      const probe = await place.fresh({ cpus: 0.1 });
      // So many that they get their share of a busy machine as well.
      const found = await probe.attempt('spin', 12, 0.15);
      await probe.stop();
      return found;
    },
  },
  tries('fork bomb', 'start 200 processes where 64 are given', {
    does: ['fork', [200, 64]],
    mayEnd: true,
    explained: {
      runsc:
        'the machine counts the threads of gVisor’s kernel, so the limit is 512 and four times as many: it bounds the whole, not the number',
    },
  }),
  tries('files', 'open 3,000 files where 1,024 are given', { does: ['openMany', [3000, 1024]] }),
  tries('core dump', 'leave its memory on the disk', {
    does: ['hardLimit', ['Max core file size']],
  }),
];
