import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { container } from '../../../runtime/isolation/container.ts';
import { containerSettings, environmentOf } from '../../../runtime/isolation/container-words.ts';
import { envFile } from '../../../runtime/isolation/engine.ts';
import { ownerWords, sweepContainers } from '../../../runtime/isolation/guard.ts';
import { ensureImage } from '../../../runtime/isolation/image.ts';
import { PROFILE_PATH } from '../../../runtime/isolation/seccomp.ts';
import type { LaunchPlan } from '../../../runtime/ports.ts';
import { openDir, planFor } from '../../helpers/sandbox.ts';
import { until } from '../../helpers/wait.ts';

const driver = container({ engine: 'podman', nodePath: process.execPath });
const PROBE = `
const fs = require('node:fs'), net = require('node:net'); const out = {};
const attempt = (name, run) => { try { out[name] = String(run() ?? 'ok').slice(0, 100); } catch (error) { out[name] = error.code ?? error.message; } };
attempt('uid', () => process.getuid()); attempt('status', () => [...fs.readFileSync('/proc/self/status', 'utf8').matchAll(/^(Groups|CapBnd|NoNewPrivs|Seccomp):\\t?(.*)$/gm)].map(([, name, value]) => name + '=' + value.trim()).join(' ')); attempt('limits', () => [...fs.readFileSync('/proc/self/limits', 'utf8').matchAll(/^Max (open files|processes) +(\\d+)/gm)].map(([, name, value]) => name + '=' + value).join(' ')); attempt('writeMount', () => fs.writeFileSync('/data/x', '')); attempt('shadow', () => fs.readFileSync('/etc/shadow')); attempt('writeApp', () => fs.writeFileSync('/app/x', '')); attempt('writeRoot', () => fs.writeFileSync('/x', ''));
attempt('tmp', () => fs.writeFileSync('/tmp/x', '')); attempt('fill', () => fs.writeFileSync('/tmp/y', Buffer.alloc(64 * 1024 * 1024)));
const socket = net.connect(80, '93.184.216.34'); socket.on('error', (error) => { out.net = error.code; console.log(JSON.stringify(out)); process.stdin.resume(); });
`;

describe('the container driver on Podman', () => {
  it('is there, makes its own image, holds the same proofs and reads its limits back', async () => {
    const status = await driver.detect();
    expect(status).toMatchObject({ available: true });
    const dir = openDir();
    mkdirSync(join(dir, 'app'));
    mkdirSync(join(dir, 'docs'));
    chmodSync(join(dir, 'docs'), 0o777);
    writeFileSync(join(dir, 'app/probe.js'), PROBE);
    const running = await driver.start(
      planFor(join(dir, 'app'), ['node', '/app/probe.js'], {
        id: `t${process.pid}`,
        mounts: [{ source: join(dir, 'docs'), target: '/data', mode: 'ro' }],
      }),
    );
    running.stderr.resume();
    const said = once(running.stdout, 'data') as Promise<[Buffer]>;
    const [chunk] = await Promise.race([said, running.exited.then(() => [Buffer.from('{}')] as const)]);
    await running.stop(1000);
    expect(JSON.parse(chunk.toString())).toEqual({
      uid: '65534',
      status: 'Groups=65534 CapBnd=0000000000000000 NoNewPrivs=1 Seccomp=2',
      limits: 'processes=4096 open files=1024',
      writeMount: 'EROFS',
      shadow: 'ENOENT',
      writeApp: 'EROFS',
      writeRoot: 'EROFS',
      tmp: 'ok',
      fill: 'ENOSPC',
      net: 'ENETUNREACH',
    });
    expect(
      spawnSync('podman', ['ps', '--all', '--quiet', '--filter', `name=lockkeeper-t${process.pid}`], {
        encoding: 'utf8',
      }).stdout,
    ).toBe('');
  });
});

describe('a container whose runtime is killed', () => {
  const named = (name: string): string =>
    spawnSync('podman', ['ps', '--all', '--filter', `name=${name}`, '--format', '{{.Names}}'], {
      encoding: 'utf8',
    }).stdout.trim();

  it('is removed at once, whatever the server in it minds', async () => {
    const id = `killed-${process.pid}`;
    const program = fileURLToPath(new URL('../../helpers/deaf-container.ts', import.meta.url));
    const runtime = spawn(process.execPath, [program, id], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(runtime.stdout, 'data');
    expect(named(id)).toBe(`lockkeeper-${id}`);
    const places = ['/dev/shm', tmpdir()].filter((place) => existsSync(place));
    const secrets = (): string[] =>
      places.flatMap((place) =>
        readdirSync(place).filter((name) => name.startsWith(`lockkeeper-secrets-${runtime.pid}-`)),
      );
    expect(secrets()).toHaveLength(process.getuid?.() === 0 ? 1 : 0);
    runtime.kill('SIGKILL');
    await until(() => named(id) === '');
    await until(() => secrets().length === 0);
  });

  it('is not made where nothing could remove it, and nothing of it is left', async () => {
    const dir = openDir();
    const podman = execFileSync('sh', ['-c', 'command -v podman'], { encoding: 'utf8' }).trim();
    symlinkSync(podman, join(dir, 'podman'));
    const before = process.env.PATH;
    process.env.PATH = dir;
    const id = `unguarded-${process.pid}`;
    const secrets = process.getuid?.() === 0 ? [{ name: 'TOKEN', value: 'a secret' }] : [];
    const started = driver.start(planFor(dir, ['node', '/app/x.js'], { id, secrets }));
    await expect(started.finally(() => (process.env.PATH = before))).rejects.toMatchObject({
      code: 'ISOLATION_FAILED',
      found: 'that none can be started',
    });
    expect(named(id)).toBe('');
    const own = `lockkeeper-secrets-${process.pid}-`;
    expect(readdirSync('/dev/shm').filter((name) => name.startsWith(own))).toEqual([]);
  });

  it('without a descriptor for what would remove it is refused in words', () => {
    const url = new URL('../../../runtime/isolation/guard.ts', import.meta.url);
    const program = `
      import { execFileSync } from 'node:child_process';
      import { openSync } from 'node:fs';
      const { guarded } = await import('${url}');
      execFileSync('prlimit', ['--pid', String(process.pid), '--nofile=60:60']);
      try { for (;;) openSync('/dev/null'); } catch {}
      try { guarded('podman', 'none', null)(); } catch ({ code }) { process.exit(code === 'ISOLATION_FAILED' ? 7 : 1); }`;
    const words = ['--no-warnings', '--input-type=module', '--eval', program];
    expect(spawnSync(process.execPath, words).status).toBe(7);
  });

  it('is removed by the next start where nothing else did, and those of others are left to them', async () => {
    const image = await ensureImage('podman', process.execPath, null);
    const [word = '', label = ''] = ownerWords();
    const [pid = '', began = '', ids = '', machine = ''] = label.slice(label.indexOf('=') + 1).split(' ');
    const boot = began.slice(began.indexOf('@'));
    const owners = {
      gone: `${pid} 1${boot} ${ids}`,
      running: `${pid} ${began} ${ids}`,
      elsewhere: `${pid} 1${boot} pid:[1]`,
      otherwhere: `${pid} 1@another-boot ${ids} another-machine`,
      rebooted: `${pid} 1@another-boot pid:[1] ${machine}`,
    };
    const nameOf = (owner: string): string => `lockkeeper-${owner}-${process.pid}`;
    for (const [owner, said] of Object.entries(owners)) {
      const words = ['create', '--name', nameOf(owner), word, `lockkeeper.runtime=${said}`, image];
      execFileSync('podman', [...words, 'true']);
    }
    await driver.detect();
    const stay = Object.keys(owners).filter((owner) => named(nameOf(owner)) !== '');
    execFileSync('podman', ['rm', '--force', ...stay.map(nameOf)]);
    expect(stay).toEqual(['running', 'elsewhere', 'otherwhere']);
  });

  /** What an engine was asked that knows two containers of this label and hangs at one verb. */
  const askedOf = async (verb: string, label: string): Promise<string> => {
    const dir = openDir();
    const seen = JSON.stringify([
      { Config: { Labels: { 'lockkeeper.runtime': label } }, State: { Running: true } },
    ]);
    const script = `#!/bin/sh
echo "$1" >> ${dir}/asked
test "$1" = ${verb} && exec sleep 1000
test "$1" = ps && echo one && echo two
test "$1" = container && echo '${seen}'
exit 0`;
    writeFileSync(join(dir, 'engine'), script, { mode: 0o755 });
    await sweepContainers(join(dir, 'engine') as 'docker', 2500);
    return readFileSync(join(dir, 'asked'), 'utf8').trim().replaceAll('\n', ' ');
  };

  it('holds up no start where the engine hangs, and what runs since another boot is not touched', async () => {
    const [, label = ''] = ownerWords();
    const [, began = '', ids = '', machine = ''] = label.split(' ');
    const gone = `1 1${began.slice(began.indexOf('@'))} ${ids}`;
    const asked = ['ps', 'container', 'rm'].map((verb) => askedOf(verb, gone));
    const another = askedOf('none', `1 1@another-boot pid:[1] ${machine}`);
    expect(await Promise.all([...asked, another])).toEqual([
      'ps',
      'ps container',
      'ps container rm',
      'ps container container',
    ]);
  });
});

describe('a container that runs out of memory', () => {
  it('ends, and leaves nothing in the folder that the runtime was started in', async () => {
    const before = readdirSync(process.cwd());
    const dir = openDir();
    writeFileSync(
      join(dir, 'eat.js'),
      'const all = []; setInterval(() => all.push(Buffer.alloc(32 * 1024 * 1024, 1)) > 32 && process.exit(0), 1);',
    );
    const limits = { memoryMiB: 256, cpus: 1, pids: 64, tmpMiB: 8 };
    const eater = await driver.start(
      planFor(dir, ['node', '/app/eat.js'], { id: `oom${process.pid}`, limits }),
    );
    for (const stream of [eater.stdout, eater.stderr]) stream.resume();
    expect((await eater.exited).code).not.toBe(0);
    expect(readdirSync(process.cwd())).toEqual(before);
  });
});

describe('what an engine is told of a server', () => {
  const plan: LaunchPlan = planFor('/srv/app', ['node', '/app/x.js'], {
    env: { CITY: 'Berlin', HOME: '/root', NODE_OPTIONS: '--inspect', HTTPS_PROXY: 'http://evil.example' },
    mounts: [
      { source: '/srv/docs', target: '/data', mode: 'ro' },
      { source: '/srv/out', target: '/out', mode: 'rw' },
    ],
    limits: { memoryMiB: 512, cpus: 1.5, pids: 64, tmpMiB: 8 },
  });
  const words = containerSettings(plan, 'docker').join(' ');
  const always = [
    '--read-only',
    '--ipc none',
    '--cap-drop all',
    '--security-opt no-new-privileges',
    '--network none',
    `--security-opt seccomp=${fileURLToPath(PROFILE_PATH)}`,
    '--user 65534:65534',
    '--pids-limit 64',
    '--memory 512m',
    '--memory-swap 512m',
    '--cpus 1.5',
    '--tmpfs /tmp:rw,size=8m,mode=1777,noexec,nosuid,nodev',
    '--ulimit nofile=1024:1024',
    '--ulimit nproc=4096:4096',
    '--ulimit core=0:0',
    '--init=false',
    '--workdir /app',
    '--volume /srv/app:/app:ro',
    '--volume /srv/docs:/data:ro',
    '--volume /srv/out:/out:rw',
  ];

  it.each(always)('%s', (word) => {
    expect(` ${words} `).toContain(` ${word} `);
  });

  it('is nothing else; Podman is kept from what it would add by itself', () => {
    expect(words.split(' ').sort()).toEqual(always.join(' ').split(' ').sort());
    expect(containerSettings(plan, 'podman').join(' ')).toContain(' --read-only-tmpfs=false ');
  });

  it('has our way out over the server’s own, where it has one', () => {
    const withOut = { ...plan, egressSocket: '/srv/egress.sock' };
    const out = containerSettings(withOut, 'docker').join(' ');
    expect(out).toContain('--volume /srv/egress.sock:/lockkeeper/egress.sock:ro');
    expect(out).toMatch(/ --volume \S+preload\.cjs:\/lockkeeper\/preload\.cjs:ro/);
    expect(environmentOf(plan)).toEqual({ ...plan.env, HOME: '/tmp', LANG: 'C.UTF-8' });
    expect(environmentOf(withOut)).toMatchObject({
      CITY: 'Berlin',
      HTTPS_PROXY: 'http://127.0.0.1:3128',
      NODE_OPTIONS: '--require /lockkeeper/preload.cjs',
    });
  });

  it('tells no value of a variable on a command line, and takes none that its file cannot carry', () => {
    expect(words).not.toContain('Berlin');
    expect(envFile({ A: 'b c', D: '' })).toBe('A=b c\nD=\n');
    expect(() => envFile({ A: 'b\nPATH=/evil' })).toThrow(/one line/);
  });
});

describe('an engine that does not do what it is told', () => {
  /** Podman itself behind a script that changes the words of `create`, and with `lie` what it tells of it. */
  function deaf(change: string, lie = ''): () => void {
    const dir = openDir();
    const podman = execFileSync('sh', ['-c', 'command -v podman'], { encoding: 'utf8' }).trim();
    const script = `#!/usr/bin/python3
import os, subprocess, sys
words = sys.argv[1:]
if 'create' in words:
${change}
if 'inspect' in words and '${lie}' != '':
    told = subprocess.run(['${podman}', *words], stdout=subprocess.PIPE, text=True)
    before, after = '${lie}'.split('>')
    print(told.stdout.replace(before, after))
    sys.exit(told.returncode)
os.execv('${podman}', ['podman', *words])
`;
    writeFileSync(join(dir, 'podman'), script, { mode: 0o755 });
    const before = process.env.PATH;
    process.env.PATH = `${dir}${delimiter}${before}`;
    return () => {
      process.env.PATH = before;
    };
  }
  const instead = (option: string, value: string): string =>
    `    words[words.index('${option}') + 1] = '${value}'`;

  const left = (id: string): string =>
    spawnSync('podman', ['ps', '--all', '--quiet', '--filter', `name=${id}`], { encoding: 'utf8' }).stdout;

  async function refused(id: string, change: string, lie?: string): Promise<unknown> {
    const dir = openDir();
    writeFileSync(join(dir, 'x.js'), 'setInterval(() => {}, 1000);');
    const hear = deaf(change, lie);
    try {
      return await driver.start(planFor(dir, ['node', '/app/x.js'], { id })).catch((error: unknown) => error);
    } finally {
      hear();
    }
  }

  it.each<[string, string, string]>([
    ['memory', 'memory', `${instead('--memory', '600m')}\n${instead('--memory-swap', '600m')}`],
    ['number of processes', 'pids', instead('--pids-limit', '65')],
    ['read-only root', 'root', "    words.remove('--read-only')"],
    ['network', 'network', instead('--network', 'host')],
    ['user', 'user', instead('--user', '0:0')],
    ['capabilities', 'capabilities', "    words.insert(words.index('create') + 1, '--cap-add=SYS_ADMIN')"],
    [
      'filter of system calls',
      'security',
      "    words = ['seccomp=unconfined' if word.startswith('seccomp=') else word for word in words]",
    ],
    ['new privileges', 'security', "    at = words.index('no-new-privileges'); del words[at - 1:at + 1]"],
    ['devices', 'devices', "    words.insert(words.index('create') + 1, '--device=/dev/zero')"],
    ['a variable', 'variables missing', "    words[words.index('--env-file') + 1] = '/dev/null'"],
  ])('is refused before anything runs, and nothing stays: %s', async (name, fact, change) => {
    const id = `deaf-${process.pid}-${name.replace(/\W/g, '').slice(0, 4)}`;
    expect(await refused(id, change)).toMatchObject({
      code: 'ISOLATION_MISMATCH',
      found: expect.stringMatching(new RegExp(`(^|, )${fact} `)),
    });
    expect(left(id)).toBe('');
  });

  it.each<[string, string, string, string]>([
    [
      'memory',
      'memory',
      `${instead('--memory', '600m')}\n${instead('--memory-swap', '600m')}`,
      '629145600>536870912',
    ],
    ['network', 'network', instead('--network', 'host'), '"host">"none"'],
    ['/tmp', 'tmp', "    words[words.index('--tmpfs') + 1] = '/tmp:rw,size=64m,mode=1777'", ''],
    [
      'another folder',
      'writable',
      "    words.insert(words.index('create') + 1, '--volume=/var/tmp:/more')",
      '',
    ],
  ])('is found out by the kernel when it lies: %s', async (name, fact, change, lie) => {
    const id = `liar-${process.pid}-${name.replace(/\W/g, '').slice(0, 4)}`;
    expect(await refused(id, change, lie)).toMatchObject({
      code: 'ISOLATION_MISMATCH',
      found: expect.stringMatching(new RegExp(`(^|, )${fact} `)),
    });
    expect(left(id)).toBe('');
  });
});
