import { describe, expect, it } from 'vitest';
import type { Cgroup } from '../../../runtime/isolation/cgroup.ts';
import { rootfs } from '../../../runtime/isolation/rootfs.ts';
import { innerCommand, outerCommand, sandboxSettings } from '../../../runtime/isolation/words.ts';
import type { LaunchPlan } from '../../../runtime/ports.ts';
import { planFor } from '../../helpers/sandbox.ts';

const plan: LaunchPlan = planFor('/srv/app', ['node', '/app/x.js', '--flag'], {
  env: { CITY: 'Berlin', PATH: '/srv/evil', NODE_OPTIONS: '--inspect', HTTPS_PROXY: 'http://evil.example' },
  mounts: [
    { source: '/srv/docs', target: '/data', mode: 'ro' },
    { source: '/srv/out', target: '/out', mode: 'rw' },
  ],
  limits: { memoryMiB: 512, cpus: 1.5, pids: 64, tmpMiB: 8 },
});
const cgroup: Cgroup = { procs: ['/cg/memory/procs', '/cg/pids/procs'], remove: async () => undefined };
const isRoot = process.getuid?.() === 0;

describe('what bubblewrap is told of a server', () => {
  const words = sandboxSettings(plan, null).join(' ');
  const always = [
    '--unshare-user',
    '--unshare-ipc',
    '--unshare-pid',
    '--unshare-net',
    '--unshare-uts',
    '--unshare-cgroup-try',
    '--disable-userns',
    '--die-with-parent',
    '--new-session',
    '--clearenv',
    '--cap-drop ALL',
    '--hostname mcp',
    '--uid 65534',
    '--gid 65534',
    '--seccomp 6',
    '--size 8388608 --tmpfs /tmp',
    '--ro-bind /srv/app /app',
    '--chdir /app',
    '--ro-bind /srv/docs /data',
    '--bind /srv/out /out',
    '--setenv CITY Berlin',
    '--setenv PATH /lockkeeper:/usr/bin:/bin',
    '--setenv HOME /tmp',
    '--setenv TMPDIR /tmp',
    '--setenv LANG C.UTF-8',
    '--remount-ro /',
  ];

  it.each(always)('%s', (word) => {
    expect(` ${words} `).toContain(` ${word} `);
  });

  it('is nothing else, but for what it asked to have set; the root is shut last', () => {
    const own = ['--setenv NODE_OPTIONS --inspect', '--setenv HTTPS_PROXY http://evil.example'];
    expect(words.split(' ').sort()).toEqual([...always, ...own].join(' ').split(' ').sort());
    expect(words).toMatch(/ --remount-ro \/$/);
  });

  it('has our way out over the server’s own, where it has one', () => {
    const out = sandboxSettings({ ...plan, egressSocket: '/srv/egress.sock' }, '/srv/preload.cjs').join(' ');
    for (const word of [
      '--ro-bind /srv/egress.sock /lockkeeper/egress.sock',
      '--ro-bind /srv/preload.cjs /lockkeeper/preload.cjs',
      '--setenv HTTP_PROXY http://127.0.0.1:3128',
      '--setenv HTTPS_PROXY http://127.0.0.1:3128',
      '--setenv http_proxy http://127.0.0.1:3128',
      '--setenv https_proxy http://127.0.0.1:3128',
      '--setenv NODE_USE_ENV_PROXY 1',
      '--setenv NODE_OPTIONS --require /lockkeeper/preload.cjs',
    ])
      expect(` ${out} `).toContain(` ${word} `);
    expect(out).not.toMatch(/evil|inspect/);
  });

  it('shows nothing of the system that can be written', async () => {
    const shown = (await rootfs('/opt/node')).join(' ');
    for (const word of ['--ro-bind /usr /usr', '--ro-bind /opt/node /lockkeeper/node', '--remount-ro /dev'])
      expect(shown).toContain(word);
    expect(shown).not.toMatch(/(?:^| )--(?:dev-)?bind/);
  });
});

describe('the limits of each process', () => {
  it.each([
    [cgroup, '--core=0 --nofile=1024:1024 --nproc=64:64 -- GATE /lockkeeper/node /app/x.js --flag'],
    [
      null,
      '--core=0 --nofile=1024:1024 --nproc=64:64 --data=536870912:536870912 -- GATE /lockkeeper/node /app/x.js --flag',
    ],
  ])('are set before it begins, memory too where there is no control group', (group, words) => {
    const told = innerCommand(plan, group).join(' ');
    expect(told.replace(/\/bin\/sh -c .* sh (?=\/)/, 'GATE ')).toBe(words);
    expect(told).toContain('read -r go <&7 || exit 1; exec 7<&-; exec "$@" sh /lockkeeper/node');
  });
});

describe('the way into the sandbox', () => {
  it('joins every control group, becomes an ordinary user without any right, and dies with the runtime', () => {
    const words = outerCommand(cgroup, ['--', 'x']).join(' ');
    const alive = `setpriv ${isRoot ? '--reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all ' : ''}--pdeathsig KILL -- sh -c `;
    expect(words).toContain(alive);
    expect(words).toContain('test "$PPID" = "$1" || exit 1;');
    expect(words).toMatch(new RegExp(` sh ${process.pid} bwrap --args 3 -- /usr/bin/prlimit -- x$`));
    if (isRoot)
      expect(words).toContain('echo $$ > /cg/memory/procs && echo $$ > /cg/pids/procs && exec "$@"');
  });
});
