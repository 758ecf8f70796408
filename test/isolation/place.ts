/**
 * Where the probe runs: in a driver's sandbox, started from a lock entry by the runtime's own plan, or bare. Both are
 * spoken to in the same way, over MCP.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { watchAttempts } from '../../runtime/egress/attempts.ts';
import { overseen } from '../../runtime/isolation/process.ts';
import { planLaunch } from '../../runtime/launch.ts';
import type {
  DriverName,
  EgressEvent,
  Exit,
  IsolationDriver,
  LaunchPlan,
  Limits,
  SandboxedProcess,
} from '../../runtime/ports.ts';
import { openPeer } from '../../runtime/session/peer.ts';
import type { Json } from '../../schemas/common.ts';
import { asLockkeeperError } from '../../schemas/errors.ts';
import { openDir } from '../helpers/sandbox.ts';
import { makeEntry } from '../helpers/trust.ts';
import { program } from './elf.ts';
import { SYSCALLS } from './syscalls.ts';

/** What one attempt came to: did it get through, and what was seen. */
export interface Attempt {
  readonly broke: boolean;
  readonly seen: string;
}

export interface Probe {
  readonly process: SandboxedProcess;
  /** Makes one attempt from inside. Throws when the server ends meanwhile: that alone proves nothing. */
  attempt(name: string, ...words: readonly Json[]): Promise<Attempt & { readonly codes?: readonly Json[] }>;
  lastWords(): string;
  stop(): Promise<Exit>;
}

export interface Place {
  readonly name: DriverName | 'bare';
  /** The probe that lives as long as the place. */
  probe(): Promise<Probe>;
  /** One of its own, under these limits. */
  fresh(limits?: Partial<Limits>): Promise<Probe>;
  readonly folder: Folder;
  /** Asks for a mount of this source as a project would, and starts with it. Bare: is it there? */
  mount(source: string, between?: () => void): Promise<Attempt>;
  close(): Promise<void>;
}

/** What the server of a place is given. */
export interface Folder {
  readonly dir: string;
  /** Seen as /app. */
  readonly app: string;
  /** Seen as /data, read-only. */
  readonly data: string;
  /** Seen as /out, writable. */
  readonly out: string;
}

export const LIMITS: Limits = { memoryMiB: 512, cpus: 1, pids: 64, tmpMiB: 8 };
/** The value of a variable that the server is given, and nobody else may read. */
export const TOKEN = `token-${randomBytes(8).toString('hex')}`;
const ATTEMPT_MS = 60_000;

export function makeFolder(): Folder {
  const dir = openDir();
  const folder = { dir, app: join(dir, 'app'), data: join(dir, 'data'), out: join(dir, 'out') };
  for (const path of [folder.app, folder.data, folder.out]) mkdirSync(path);
  // Open to every user: whoever may not write there is kept from it by the sandbox, not by the owner.
  for (const path of [folder.app, folder.data, folder.out]) chmodSync(path, 0o777);
  writeFileSync(join(folder.data, 'note'), 'a note');
  copyFileSync(join(import.meta.dirname, 'probe.mjs'), join(folder.app, 'probe.mjs'));
  chmodSync(join(folder.app, 'probe.mjs'), 0o666);
  const put = (name: string, bytes: Buffer, mode = 0o755): void => {
    writeFileSync(join(folder.app, name), bytes);
    chmodSync(join(folder.app, name), mode);
  };
  for (const [name, call] of Object.entries(SYSCALLS)) put(fileOf(name), program(call));
  put('pause', program({ number: 34 }));
  put('true', program({ number: 39 }));
  put('root', program({ number: 107, exit: 'value' }), 0o4755);
  return folder;
}

export function fileOf(syscall: string): string {
  return `call-${syscall.replace(/\W+/g, '-')}`;
}

/** Adds a program to what a place is given. */
export function give({ app }: Folder, name: string, bytes: Buffer): void {
  writeFileSync(join(app, name), bytes, { mode: 0o755 });
  chmodSync(join(app, name), 0o755);
}

const MOUNTS = { '/data': 'data', '/out': 'out' };

/** The proxy that a place has, and who hears of what goes past it. */
export interface WayOut {
  readonly socket: string;
  readonly record: (event: EgressEvent) => Promise<void>;
}

export function sandboxPlace(driver: IsolationDriver, out?: WayOut): Place {
  const folder = makeFolder();
  const start = async (limits: Limits): Promise<SandboxedProcess> => {
    const plan = await planOf(folder, limits, MOUNTS);
    if (out === undefined) return driver.start(plan);
    const running = await driver.start({ ...plan, egressSocket: out.socket });
    watchAttempts(running, out.record);
    return running;
  };
  return placeOf(driver.name, folder, {
    start,
    mount: async (source, between) => {
      try {
        const plan = await planOf(folder, LIMITS, { '/data': source });
        between?.();
        const running = await driver.start(plan);
        await running.stop(0);
        return { broke: true, seen: 'mounted' };
      } catch (error) {
        const { code, found } = asLockkeeperError(error);
        const refused = code === 'MOUNT_REFUSED' || code === 'ISOLATION_MISMATCH';
        return { broke: !refused, seen: refused ? code : `${code}: ${found}` };
      }
    },
  });
}

/** The runtime's own plan, from an entry of a lock. */
async function planOf(
  folder: Folder,
  limits: Limits,
  mounts: Readonly<Record<string, string>>,
): Promise<LaunchPlan> {
  const entry = {
    ...makeEntry(),
    launch: { transport: 'stdio' as const, command: ['node', '/app/probe.mjs'], projectArgs: false },
    permissions: {
      egress: [],
      env: ['TOKEN_OF_SERVER'],
      mounts: [
        { target: '/data', mode: 'ro' as const },
        { target: '/out', mode: 'rw' as const },
      ],
      limits,
    },
    request: { server: 'acme.tools/probe', range: '*', env: ['TOKEN_OF_SERVER'], mounts: { ...mounts } },
    approvedBy: [],
    approvals: [],
  };
  const { egressSocket: _, ...plan } = await planLaunch(entry, {
    id: `probe-${process.pid}-${randomBytes(4).toString('hex')}`,
    appDir: folder.app,
    projectDir: folder.dir,
    homes: [],
    environment: { TOKEN_OF_SERVER: TOKEN },
    egressSocket: '',
  });
  return plan;
}

/** The same program with nothing around it, but that what it mounts is its own. */
export function barePlace(): Place {
  const folder = makeFolder();
  return placeOf('bare', folder, {
    start: async () => {
      const words = [process.execPath, 'probe.mjs'];
      const [command = '', ...rest] = process.getuid?.() === 0 ? ['unshare', '--mount', ...words] : words;
      const child = spawn(command, rest, { cwd: folder.app, stdio: ['pipe', 'pipe', 'pipe'] });
      return overseen(child, { driver: 'bare', cleanup: async () => undefined });
    },
    mount: async (source, between) => {
      between?.();
      const there = existsSync(resolve(folder.dir, source));
      return { broke: there, seen: there ? 'there' : 'not there' };
    },
  });
}

interface Ways {
  readonly start: (limits: Limits) => Promise<SandboxedProcess>;
  readonly mount: Place['mount'];
}

function placeOf(name: Place['name'], folder: Folder, { start, mount }: Ways): Place {
  let shared: Promise<Probe> | null = null;
  const all: Promise<Probe>[] = [];
  const fresh = (limits: Partial<Limits> = {}): Promise<Probe> => {
    const one = start({ ...LIMITS, ...limits }).then(greet);
    all.push(one);
    return one;
  };
  return {
    name,
    folder,
    fresh,
    mount,
    probe: () => {
      // One that an attempt ended is replaced.
      shared ??= fresh().then((probe) => {
        void probe.process.exited.then(() => {
          shared = null;
        });
        return probe;
      });
      return shared;
    },
    close: async () => {
      await Promise.all(all.map((one) => one.then((probe) => probe.stop()).catch(() => undefined)));
      rmSync(folder.dir, { recursive: true, force: true });
    },
  };
}

async function greet(process: SandboxedProcess): Promise<Probe> {
  const peer = openPeer(process, {
    message: () => undefined,
    badLine: () => undefined,
    gone: () => undefined,
  });
  const clientInfo = { name: 'isolation', version: '1' };
  await peer.ask('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo }, ATTEMPT_MS);
  return {
    process,
    lastWords: () => peer.lastWords(),
    stop: () => process.stop(200),
    attempt: async (name, ...words) => {
      const params = { name: 'attempt', arguments: { name, words: [...words] } };
      const { structuredContent } = await peer.ask('tools/call', params, ATTEMPT_MS);
      return structuredContent as unknown as Attempt;
    },
  };
}
