/**
 * Containers are no children of the runtime: the engine keeps one whose runtime was killed, for as long as the server in it
 * likes. A guard removes it at once, and the next start removes what a guard that was killed as well left behind.
 */
import { execFile, spawn } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { promisify } from 'node:util';
import { LockkeeperError } from '../../schemas/errors.ts';
import { type Engine, inspect } from './engine.ts';
import { beganOf, isRunning } from './proc.ts';

const run = promisify(execFile);

const LABEL = 'lockkeeper.runtime';
const ANSWER_MS = 20_000;

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

/** This process as no other is called: its id, when it began since which boot, and whose ids these are. */
function thisRuntime(): string | null {
  const began = beganOf(process.pid);
  return began === null ? null : `${process.pid} ${began} ${readlinkSync('/proc/self/ns/pid')}`;
}

/** By which a container is known to be of this runtime. */
export function ownerWords(): string[] {
  const own = thisRuntime();
  return own === null ? [] : ['--label', `${LABEL}=${own}`];
}

/** Removes containers whose runtime is gone. What another machine or another namespace made is left to those. */
export async function sweepContainers(engine: Engine['engine']): Promise<void> {
  const list = ['ps', '--all', '--filter', `label=${LABEL}`, '--format', '{{.Names}}'];
  const listed = await run(engine, list, { timeout: ANSWER_MS }).catch(() => ({ stdout: '' }));
  for (const name of listed.stdout.split('\n').filter(Boolean)) {
    const seen = await inspect(engine, name).catch(() => null);
    if (isLeft(seen?.Config.Labels?.[LABEL])) await run(engine, removal(engine, name)).catch(() => undefined);
  }
}

function isLeft(label = ''): boolean {
  const [pid = '', began = '', ids] = label.split(' ');
  const own = thisRuntime()?.split(' ');
  const isHere = own !== undefined && ids === own[2] && bootOf(began) === bootOf(own[1] ?? '');
  // Of a process of another user it may be hidden when it began, not that it is there.
  const found = beganOf(Number(pid)) ?? (isRunning(Number(pid)) ? began : null);
  return isHere && found !== began;
}

function bootOf(began: string): string {
  return began.slice(began.indexOf('@'));
}
