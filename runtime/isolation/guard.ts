/**
 * Containers are no children of the runtime: the engine keeps one whose runtime was killed, for as long as the server in it
 * likes. A guard removes it at once, and the next start removes what a guard that was killed as well left behind.
 */
import { execFile, spawn } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { promisify } from 'node:util';
import { LockkeeperError } from '../../schemas/errors.ts';
import { sha256 } from '../../schemas/json.ts';
import { type Engine, inspect } from './engine.ts';
import { beganOf, isRunning } from './proc.ts';

const run = promisify(execFile);

const LABEL = 'lockkeeper.runtime';
/** All of a sweep, ms: what an engine that hangs left standing is left to the next start. */
const SWEEP_MS = 20_000;

/** Waits for the end of its input, which comes with the end of the runtime, however that ends. */
const WAIT = 'read -r go; dir=$1; shift; "$@" >/dev/null 2>&1; test -z "$dir" || rm -rf -- "$dir"';

const UNGUARDED = new LockkeeperError('ISOLATION_FAILED', {
  expected: 'a process that removes the container once the runtime is gone',
  found: 'that none can be started',
  next: 'Look whether this machine has processes and files to spare',
});

function removal(engine: Engine['engine'], name: string): string[] {
  return ['rm', '--force', ...(engine === 'podman' ? ['--time', '0'] : []), name];
}

/** To be called before the container is made. `dir` goes with it. Returns how to end the guard, once both are gone. */
export function guarded(engine: Engine['engine'], name: string, dir: string | null): () => void {
  const words = ['-c', WAIT, 'sh', dir ?? '', engine, ...removal(engine, name)];
  // A group of its own: what ends the runtime's group does not end the guard.
  const guard = spawn('sh', words, { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  guard.on('error', () => undefined);
  if (guard.pid === undefined) throw UNGUARDED;
  guard.stdin.on('error', () => undefined);
  return () => void guard.kill('SIGKILL');
}

/** This machine as no other is called, whatever its boot; nobody learns its id from it. */
function thisMachine(): string {
  let id = '';
  try {
    id = readFileSync('/etc/machine-id', 'utf8').trim();
  } catch {
    // Without one, its name alone tells it.
  }
  return sha256(`lockkeeper ${id} ${hostname()}`).slice(7, 39);
}

/** This process as no other is called: its id, when it began since which boot, whose ids these are, and where. */
function thisRuntime(): string | null {
  const began = beganOf(process.pid);
  return began === null
    ? null
    : `${process.pid} ${began} ${readlinkSync('/proc/self/ns/pid')} ${thisMachine()}`;
}

/** By which a container is known to be of this runtime. */
export function ownerWords(): string[] {
  const own = thisRuntime();
  return own === null ? [] : ['--label', `${LABEL}=${own}`];
}

/** Removes containers whose runtime is gone. What another machine or another namespace made is left to those. */
export async function sweepContainers(engine: Engine['engine'], withinMs = SWEEP_MS): Promise<void> {
  const end = performance.now() + withinMs;
  const ask = (words: string[]): Promise<{ stdout: string }> =>
    run(engine, words, { timeout: left(end), killSignal: 'SIGKILL' }).catch(() => ({ stdout: '' }));
  const listed = await ask(['ps', '--all', '--filter', `label=${LABEL}`, '--format', '{{.Names}}']);
  for (const name of listed.stdout.split('\n').filter(Boolean)) {
    if (performance.now() >= end) return;
    const seen = await inspect(engine, name, left(end)).catch(() => null);
    if (seen && isLeft(seen.Config.Labels?.[LABEL], seen.State.Running)) await ask(removal(engine, name));
  }
}

/** Milliseconds; never none, which would mean for ever. */
function left(end: number): number {
  return Math.max(1, Math.ceil(end - performance.now()));
}

function isLeft(label = '', isOn = true): boolean {
  const [pid = '', began = '', ids, machine] = label.split(' ');
  const own = thisRuntime()?.split(' ');
  if (own === undefined) return false;
  // Of an earlier boot of this machine nothing runs any more.
  if (bootOf(began) !== bootOf(own[1] ?? '')) return machine === own[3] && !isOn;
  // Of a process of another user it may be hidden when it began, not that it is there.
  const found = beganOf(Number(pid)) ?? (isRunning(Number(pid)) ? began : null);
  return ids === own[2] && found !== began;
}

function bootOf(began: string): string {
  return began.slice(began.indexOf('@'));
}
