import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkMount, type MountContext } from '../../../runtime/isolation/mounts.ts';
import { selectDriver } from '../../../runtime/isolation/select.ts';
import { SANDBOX_WORDS, sweepOrphans } from '../../../runtime/isolation/sweep.ts';
import type { LaunchPlan, SandboxedProcess } from '../../../runtime/ports.ts';
import { driver, openDir, planFor } from '../../helpers/sandbox.ts';
import { until } from '../../helpers/wait.ts';

const PROBE = `
const fs = require('node:fs'), net = require('node:net'), dns = require('node:dns'), { spawnSync, spawn } = require('node:child_process');
const out = {}; const attempt = (name, run) => { try { out[name] = String(run() ?? 'ok').slice(0, 200); } catch (error) { out[name] = error.code ?? error.message; } };
attempt('uid', () => process.getuid());
attempt('outside', () => fs.readFileSync(process.argv[2], 'utf8'));
attempt('shadow', () => fs.readFileSync('/etc/shadow', 'utf8'));
attempt('home', () => fs.readdirSync('/root'));
attempt('writeApp', () => fs.writeFileSync('/app/x', ''));
attempt('writeUsr', () => fs.writeFileSync('/usr/x', ''));
attempt('writeRoot', () => fs.writeFileSync('/x', ''));
attempt('writeEtc', () => fs.writeFileSync('/etc/x', ''));
attempt('writePath', () => fs.writeFileSync('/lockkeeper/ls', ''));
attempt('writeDev', () => fs.writeFileSync('/dev/x', ''));
attempt('caps', () => [...fs.readFileSync('/proc/self/status', 'utf8').matchAll(/^(CapEff|CapPrm|CapInh|CapBnd|NoNewPrivs|Seccomp|Groups):\\t?(.*)$/gm)].map(([, name, value]) => name + '=' + value.trim()).join(' '));
attempt('cwd', () => process.cwd()); attempt('host', () => require('node:os').hostname()); attempt('session', () => fs.readFileSync('/proc/self/stat', 'utf8').split(' ')[5]);
attempt('variables', () => Object.keys(process.env).sort().join(' '));
for (const name of ['ipc', 'pid', 'net', 'uts', 'mnt']) attempt('ns-' + name, () => fs.readlinkSync('/proc/self/ns/' + name));
attempt('limits', () => [...fs.readFileSync('/proc/self/limits', 'utf8').matchAll(/^Max (core file size|open files) +(\\d+)/gm)].map(([, name, value]) => name + '=' + value).join(' '));
attempt('descriptors', () => fs.readdirSync('/proc/self/fd').map((fd) => { try { return fs.readlinkSync('/proc/self/fd/' + fd); } catch { return ''; } }).filter((path) => path.startsWith('/') && !path.startsWith('/dev/') && !path.startsWith('/proc')).join(' '));
attempt('writeTmp', () => fs.writeFileSync('/tmp/x', ''));
attempt('fillTmp', () => fs.writeFileSync('/tmp/big', Buffer.alloc(64 * 1024 * 1024)));
attempt('environ', () => fs.readFileSync('/proc/1/environ', 'utf8'));
attempt('corePattern', () => fs.openSync('/proc/sys/kernel/core_pattern', 'w'));
attempt('secret', () => process.env.SECRET_OF_THE_CALLER ?? 'unset');
attempt('unshare', () => spawnSync('/usr/bin/unshare', ['--user', 'true']).status);
attempt('setuid', () => spawnSync('/usr/bin/su', ['-c', 'id -u'], { input: '' }).stdout);
attempt('mount', () => fs.readFileSync('/data/note', 'utf8'));
attempt('writeMount', () => fs.writeFileSync('/data/new', ''));
const socket = net.connect({ port: Number(process.argv[3]), host: '127.0.0.1' });
const done = (what) => { out.loopback = what; dns.lookup('example.com', (error) => { out.dns = error ? error.code : 'ok'; attempt('children', () => { const all = []; for (let i = 0; i < 200; i++) { const c = spawn('/usr/bin/sleep', ['30']); c.on('error', () => {}); if (c.pid === undefined) break; all.push(c); } for (const c of all) c.kill('SIGKILL'); return all.length; }); console.log(JSON.stringify(out)); process.exit(0); }); };
socket.on('connect', () => done('connected')); socket.on('error', (error) => done(error.code));
`;

async function output(process: SandboxedProcess): Promise<Record<string, string>> {
  let text = '';
  let errors = '';
  process.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  process.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  await process.exited;
  if (text === '') throw new Error(errors);
  return JSON.parse(text) as Record<string, string>;
}

async function withProbe(
  rest: Partial<LaunchPlan> = {},
): Promise<{ dir: string; secret: string; port: number; plan: LaunchPlan; close: () => void }> {
  const dir = openDir();
  const app = join(dir, 'app');
  mkdirSync(app);
  writeFileSync(join(app, 'probe.js'), PROBE);
  const secret = join(dir, 'secret');
  writeFileSync(secret, 'the secret');
  const server = createServer((socket) => socket.end()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return {
    dir,
    secret,
    port,
    plan: planFor(app, ['node', '/app/probe.js', secret, String(port)], rest),
    close: () => server.close(),
  };
}

describe('the sandbox', () => {
  it('holds what the same probe can do outside of it', async () => {
    process.env.SECRET_OF_THE_CALLER = 'sk-outer';
    const probe = await withProbe();
    const mount = join(probe.dir, 'docs');
    mkdirSync(mount);
    chmodSync(mount, 0o777);
    writeFileSync(join(mount, 'note'), 'a note');
    const bare = spawn(process.execPath, [join(probe.dir, 'app/probe.js'), probe.secret, String(probe.port)]);
    let text = '';
    bare.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    await once(bare, 'close');
    const control = JSON.parse(text) as Record<string, string>;
    expect(control).toMatchObject({
      outside: 'the secret',
      loopback: 'connected',
      writeTmp: 'ok',
      children: '200',
      secret: 'sk-outer',
    });

    const held = await output(
      await driver.start({ ...probe.plan, mounts: [{ source: mount, target: '/data', mode: 'ro' }] }),
    );
    probe.close();
    expect(held).toMatchObject({
      uid: '65534',
      cwd: '/app',
      host: 'mcp',
      outside: 'ENOENT',
      shadow: 'ENOENT',
      home: 'ENOENT',
      writeApp: 'EROFS',
      writeUsr: 'EROFS',
      writeRoot: 'EROFS',
      writeEtc: 'EROFS',
      writePath: 'EROFS',
      writeDev: 'EROFS',
      variables: 'HOME LANG PATH PWD TMPDIR',
      limits: 'core file size=0 open files=1024',
      descriptors: '',
      writeTmp: 'ok',
      fillTmp: 'ENOSPC',
      secret: 'unset',
      mount: 'a note',
      writeMount: 'EROFS',
      loopback: 'ECONNREFUSED',
    });
    const none = '0000000000000000';
    expect(held.caps).toBe(
      `Groups= CapInh=${none} CapPrm=${none} CapEff=${none} CapBnd=${none} NoNewPrivs=1 Seccomp=2`,
    );
    for (const name of ['ipc', 'pid', 'net', 'uts', 'mnt'])
      expect(held[`ns-${name}`], name).not.toBe(control[`ns-${name}`]);
    expect(held.session, 'a session of its own, without the caller’s terminal').not.toBe('0');
    expect(held.environ).not.toContain('sk-outer');
    expect(['EACCES', 'EROFS']).toContain(held.corePattern);
    expect(held.unshare).not.toBe('0');
    expect(held.setuid).not.toContain('0');
    expect(Number(held.children)).toBeLessThan(64);
    expect(['EAI_AGAIN', 'ENOTFOUND']).toContain(held.dns);
  });

  it('kills what takes more memory than it may', async () => {
    const dir = openDir();
    writeFileSync(
      join(dir, 'eat.js'),
      // It gives up by itself at four times of what it may, so that a broken limit costs no machine.
      'const all = []; setInterval(() => all.push(Buffer.alloc(32 * 1024 * 1024, 1)) > 32 && process.exit(0), 1);',
    );
    const eater = await driver.start(
      planFor(dir, ['node', '/app/eat.js'], { limits: { memoryMiB: 256, cpus: 1, pids: 64, tmpMiB: 8 } }),
    );
    eater.stderr.resume();
    const exit = await eater.exited;
    expect(exit.code).not.toBe(0);
  });

  it('stops a server that ignores everything, with its children', async () => {
    const dir = openDir();
    writeFileSync(
      join(dir, 'stay.js'),
      "process.on('SIGTERM', () => {}); require('node:child_process').spawn('/usr/bin/sleep', ['3000'], { detached: true }); console.log('up'); setInterval(() => {}, 1000);",
    );
    const stubborn = await driver.start(planFor(dir, ['node', '/app/stay.js']));
    await once(stubborn.stdout, 'data');
    await stubborn.stop(200);
    await expectNobody(stubborn.pid);
  });

  it('dies with the process that started it, even by kill -9', async () => {
    const dir = openDir();
    writeFileSync(
      join(dir, 'stay.js'),
      "require('node:child_process').spawn('/usr/bin/sleep', ['3000'], { detached: true }); setInterval(() => {}, 1000);",
    );
    const parent = spawn(
      process.execPath,
      [join(import.meta.dirname, '../../helpers/start-and-wait.ts'), dir],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const [chunk] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(chunk.toString());
    parent.kill('SIGKILL');
    await once(parent, 'close');
    await expectNobody(pid);
  });

  it('takes the server along when bubblewrap itself is killed', async () => {
    const dir = openDir();
    writeFileSync(join(dir, 'stay.js'), "console.log('up'); setInterval(() => {}, 1000);");
    const running = await driver.start(planFor(dir, ['node', '/app/stay.js']));
    await once(running.stdout, 'data');
    const children = readFileSync(`/proc/${running.pid}/task/${running.pid}/children`, 'utf8').trim();
    process.kill(running.pid, 'SIGKILL');
    await running.exited;
    expect(children).toMatch(/^\d+$/);
    await until(() => !isAt(Number(children)));
    expect(isAt(Number(children))).toBe(false);
  });

  it('is ended by the next runtime where the one before died between two instants', async () => {
    const args = join(openDir(), 'args');
    writeFileSync(
      args,
      ['--unshare-user', '--unshare-pid', '--ro-bind', '/', '/', '--proc', '/proc'].join('\0'),
    );
    // As ours, but that it was not yet asked to die with its parent.
    const [program, ...words] = [...SANDBOX_WORDS, '--core=0', '--', 'sleep', '300'];
    const outer = spawn(program, words, { stdio: ['ignore', 'ignore', 'ignore', openSync(args, 'r')] });
    const children = `/proc/${outer.pid}/task/${outer.pid}/children`;
    const pid = await until(() => Number.parseInt(readFileSync(children, 'utf8'), 10) || null);
    // Runtimes of other tests sweep as well, and leave orphans of their own: how many there were says nothing here.
    sweepOrphans();
    expect(isAt(pid), 'a sandbox that has its parent').toBe(true);
    outer.kill('SIGKILL');
    await once(outer, 'close');
    sweepOrphans();
    await until(() => !isAt(pid));
    expect(isAt(pid)).toBe(false);
  });

  it('leaves no control group behind', () => {
    const left = existsSync('/sys/fs/cgroup/memory')
      ? readdirSync('/sys/fs/cgroup/memory').filter((name) => name.startsWith(`lockkeeper-${process.pid}-`))
      : [];
    expect(left).toEqual([]);
  });

  it('says why a folder cannot be used, and starts nothing', async () => {
    const probe = await withProbe();
    probe.close();
    const closed = join(probe.dir, 'closed');
    mkdirSync(closed, { mode: 0o700 });
    const start = driver.start({ ...probe.plan, mounts: [{ source: closed, target: '/data', mode: 'ro' }] });
    if (process.getuid?.() === 0)
      await expect(start).rejects.toMatchObject({ code: 'MOUNT_REFUSED', exit: 3 });
    else await (await start).stop(0);
  });
});

/** Is there a process that is not over? Whoever adopted it may take a while to look at its end. */
function isAt(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

async function expectNobody(pid: number): Promise<void> {
  await until(() => !existsSync(`/proc/${pid}`));
}

const contextOf = (projectDir: string, mode: 'ro' | 'rw' = 'ro'): MountContext => ({
  projectDir,
  homes: [],
  mode,
});

describe('mounts', () => {
  it.each([
    '/',
    '/etc',
    '/etc/passwd',
    '/root',
    '/home',
    '/proc/self',
    '/dev/null',
    '/var/run',
    '/usr/bin',
    '/sys',
  ])('refuses %s', async (path) => {
    await expect(checkMount(path, contextOf(openDir()))).rejects.toMatchObject({ code: 'MOUNT_REFUSED' });
  });

  it('refuses links that lead out, parent paths, sockets, credentials and what is not there', async () => {
    const dir = openDir();
    symlinkSync('/etc', join(dir, 'link'));
    mkdirSync(join(dir, '.ssh'));
    const server = createServer().listen(join(dir, 'sock'));
    await once(server, 'listening');
    for (const path of ['link', '../../etc', 'sock', '.ssh', 'missing']) {
      await expect(checkMount(join(dir, path), contextOf(dir))).rejects.toMatchObject({
        code: 'MOUNT_REFUSED',
      });
    }
    server.close();
  });

  it('takes a folder of the project by its real path', async () => {
    const dir = openDir();
    mkdirSync(join(dir, 'docs'));
    symlinkSync('docs', join(dir, 'also'));
    expect(await checkMount(join(dir, 'also'), contextOf(dir))).toBe(join(dir, 'docs'));
  });

  it('refuses what holds a home, and write access to what decides what runs', async () => {
    const dir = openDir();
    const home = join(dir, 'people/erin');
    mkdirSync(home, { recursive: true });
    const at = { projectDir: dir, homes: [home], mode: 'ro' as const };
    for (const path of ['people', 'people/erin'])
      await expect(checkMount(join(dir, path), at)).rejects.toMatchObject({ code: 'MOUNT_REFUSED' });
    for (const path of ['.', '.git', '.git/hooks']) {
      mkdirSync(join(dir, path), { recursive: true });
      await expect(checkMount(join(dir, path), contextOf(dir, 'rw'))).rejects.toMatchObject({
        code: 'MOUNT_REFUSED',
      });
    }
    expect(await checkMount(dir, contextOf(dir))).toBe(dir);
  });

  it('refuses settings of a person, and the folder of Lockkeeper whatever it is called', async () => {
    const dir = openDir();
    const kept = join(dir, 'lk');
    mkdirSync(join(kept, 'keys'), { recursive: true });
    const at = { projectDir: openDir(), homes: [kept, homedir()], mode: 'ro' as const };
    await expect(checkMount(join(kept, 'keys'), at)).rejects.toMatchObject({
      found: expect.stringContaining('which is not for servers'),
    });
    const own = mkdtempSync(join(homedir(), '.lk-test-'));
    const plain = mkdtempSync(join(homedir(), 'lk-test-'));
    try {
      await expect(checkMount(own, at)).rejects.toMatchObject({
        found: expect.stringContaining('settings of a person'),
      });
      expect(await checkMount(plain, at)).toBe(plain);
      // A project may lie there, and its folders are its own.
      expect(await checkMount(own, { ...at, projectDir: own })).toBe(own);
    } finally {
      for (const made of [own, plain]) rmSync(made, { recursive: true });
    }
  });

  it('refuses a folder that became a link to elsewhere', async () => {
    const dir = openDir();
    const other = openDir();
    mkdirSync(join(other, 'log'));
    symlinkSync(join(other, 'log'), join(dir, 'sub'));
    await expect(checkMount(join(dir, 'sub'), contextOf(dir))).rejects.toMatchObject({
      code: 'MOUNT_REFUSED',
    });
    expect(await checkMount(join(other, 'log'), contextOf(dir))).toBe(join(other, 'log'));
  });
});

describe('selecting a driver', () => {
  it('finds bubblewrap here', async () => {
    expect((await selectDriver({ nodePath: process.execPath })).driver.name).toBe('bubblewrap');
  });

  it('says what is missing when there is none', async () => {
    await expect(selectDriver({ nodePath: process.execPath, only: 'docker' })).rejects.toMatchObject({
      code: 'ISOLATION_MISSING',
      exit: 4,
      message: expect.stringContaining('docker'),
    });
  });
});
