/** What a server can write, read and use of this machine's files, devices and mounts. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { renameSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Place } from './place.ts';
import type { Proof } from './proof.ts';
import { tries } from './tries.ts';

const name = `lk-${randomBytes(6).toString('hex')}`;
const bareOr = (place: Place, bare: string, sandbox: string): string =>
  place.name === 'bare' ? bare : sandbox;
const GVISOR_OWN = 'these are files of gVisor’s own kernel, which ends with the server';

export const fileProofs: readonly Proof[] = [
  tries('write /', 'make a file in the root', { does: ['create', [`/${name}`]] }),
  tries('write /usr', 'make a file among the programs', {
    does: ['create', [`/usr/${name}`, `/usr/bin/${name}`, `/bin/${name}`]],
  }),
  tries('write /etc', 'make a file among the settings', { does: ['create', [`/etc/${name}`]] }),
  tries('write elsewhere', 'make a file where programs leave things', {
    does: [
      'create',
      ['/var/tmp', '/run', '/dev', '/dev/shm', '/home', '/var', '/mnt', '/lockkeeper'].map(
        (at) => `${at}/${name}`,
      ),
    ],
  }),
  tries('write /app', 'add to its own code, or change it', { does: ['create', [name]] }),
  tries('change /app', 'open its own code for writing', { does: ['openForWriting', ['probe.mjs']] }),
  tries('write a mount', 'make a file in a mount that is read-only', {
    does: ['create', (_, place) => [join(bareOr(place, place.folder.data, '/data'), name)]],
  }),
  tries('fill /tmp', 'put 32 MiB into a /tmp of 8', { does: ['fill', [`/tmp/${name}`, 32, 8]] }),
  tries('run from /tmp', 'run a program that it put into /tmp', {
    does: ['runCopy', ['true', `/tmp/${name}`]],
    explained: {
      bubblewrap:
        'bubblewrap cannot forbid it; what runs from there has the rights of the server and no more, and /tmp ends with it',
    },
  }),
  tries('read a file', 'read a file of this machine that every user may', {
    does: [
      'read',
      ({ secret, file }) => [
        secret,
        file,
        `/proc/1/root${file}`,
        `/proc/self/root${file}`,
        `/proc/1/cwd/..${file}`,
      ],
    ],
  }),
  tries('read /root, shadow', 'read what is root’s', {
    does: [
      'open',
      ['/etc/shadow', '/root/.bashrc', '/var/lib/dpkg/status', '/etc/hostname.d', '/etc/apt/sources.list.d'],
    ],
  }),
  {
    id: 'read a sibling',
    tries: 'read what another sandbox has in its /tmp',
    run: async (place, { secret }) => {
      const sibling = await place.fresh();
      const path = `/tmp/${name}-sibling`;
      try {
        await sibling.attempt('keep', path, secret);
        const probe = await place.probe();
        return await probe.attempt('read', secret, path, `/proc/${sibling.process.pid}/root${path}`);
      } finally {
        await sibling.stop();
        rmSync(path, { force: true });
      }
    },
  },
  tries('write kernel settings', 'open the kernel’s settings for writing', {
    does: [
      'openForWriting',
      [
        '/proc/sys/kernel/core_pattern',
        '/proc/sys/kernel/modprobe',
        '/proc/sys/vm/drop_caches',
        '/proc/sysrq-trigger',
        '/sys/kernel/uevent_helper',
        '/sys/power/state',
      ],
    ],
    explained: { runsc: GVISOR_OWN },
  }),
  tries('lift its own limits', 'open the files of control groups for writing', {
    does: [
      'openForWriting',
      [
        '/sys/fs/cgroup/memory/memory.limit_in_bytes',
        '/sys/fs/cgroup/memory/release_agent',
        '/sys/fs/cgroup/pids/cgroup.procs',
        '/sys/fs/cgroup/cgroup.procs',
      ],
    ],
    explained: { runsc: GVISOR_OWN },
  }),
  tries('read kernel memory', 'read the memory and the messages of the kernel', {
    does: ['bytes', ['/proc/kcore', '/dev/kmsg', '/dev/mem', '/proc/slabinfo', '/proc/vmallocinfo']],
  }),
  tries('devices', 'open disks, /dev/kvm, the tunnel, the console', {
    does: [
      'open',
      [
        '/dev/vda',
        '/dev/sda',
        '/dev/nvme0n1',
        '/dev/kvm',
        '/dev/net/tun',
        '/dev/fuse',
        '/dev/port',
        '/dev/console',
        '/dev/loop-control',
        '/dev/vsock',
      ],
    ],
    explained: { runsc: GVISOR_OWN },
  }),
  ...mountProofs(),
];

/** What a project asks to have mounted. */
function mountProofs(): Proof[] {
  const proof = (source: string, what: string, prepare: (place: Place) => void = () => undefined): Proof => ({
    id: `mount ${source}`,
    tries: what,
    run: async (place) => {
      prepare(place);
      return place.mount(source);
    },
  });
  return [
    proof('/', 'have the whole machine mounted'),
    proof('/etc', 'have the settings mounted'),
    proof('/dev/null', 'have a device mounted'),
    proof('/proc/self/root', 'have the root mounted by its other name'),
    proof('..', 'have the folder above the project mounted'),
    proof('link', 'have a link of the project mounted that leads to /etc', ({ folder }) =>
      symlinkSync('/etc', join(folder.dir, 'link')),
    ),
    proof('docker.sock', 'have the socket of an engine mounted', ({ folder }) => {
      const server = createServer().listen(join(folder.dir, 'docker.sock'));
      server.unref();
    }),
    proof(
      'pipe',
      'have a pipe mounted',
      ({ folder }) => void execFileSync('mkfifo', [join(folder.dir, 'pipe')]),
    ),
    {
      id: 'mount swapped',
      tries: 'exchange a mount for a link to elsewhere after it was judged',
      explained: {
        runsc:
          'gVisor’s mounts are its own kernel’s and cannot be read back; the window is the start of the container',
      },
      run: async (place) => {
        const at = join(place.folder.dir, 'data');
        try {
          return await place.mount('data', () => {
            renameSync(at, `${at}-kept`);
            symlinkSync('/var/tmp', at);
          });
        } finally {
          rmSync(at);
          renameSync(`${at}-kept`, at);
        }
      },
    },
  ];
}
