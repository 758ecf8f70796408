import { setTimeout as sleep } from 'node:timers/promises';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { type Command, flag, option, whole } from '../command.ts';
import { type HostGateway, readGateways } from '../gateways.ts';
import { type HostInstance, isThere, type Process, readInstances } from '../instances.ts';

const WAIT_SECONDS = 30;
const LOOK_MS = 50;

export const stop: Command = {
  summary: 'end a server of lk run, or a whole gateway, on this machine',
  words: '[ALIAS | PID]',
  options: {
    all: option.flag('end everything that lk ps shows'),
    seconds: option.text(`how long it may take (default ${WAIT_SECONDS})`),
  },
  examples: ['lk stop filesystem', 'lk stop 4711', 'lk stop --all --seconds 120'],
  arity: [0, 1],
  async run(context, [word], values) {
    const waitMs = whole(values, 'seconds', { verb: 'stop', most: 3600, unsaid: WAIT_SECONDS }) * 1000;
    const running = await runningAt(context.home.dir);
    const pids = pidsOf(running, word, flag(values, 'all'));
    const kept = pids.map((pid) => ({ pid, ...keptBy(running, pid) }));
    const told = [...running.instances, ...running.gateways];
    for (const pid of pids) end(told.find((one) => one.pid === pid));
    const left = new Set(pids);
    for (const until = performance.now() + waitMs; left.size > 0; await sleep(LOOK_MS)) {
      for (const one of told) if (!isThere(one)) left.delete(one.pid);
      context.progress(left.size > 0 ? `waiting for ${[...left].join(', ')}` : '');
      if (left.size > 0 && performance.now() > until) throw lasting([...left], waitMs);
    }
    return { data: { stopped: kept }, text: kept.map(endOf).join('\n') || 'Nothing runs here.' };
  },
};

interface Running {
  readonly instances: readonly HostInstance[];
  readonly gateways: readonly HostGateway[];
}

async function runningAt(home: string): Promise<Running> {
  const [instances, gateways] = [await readInstances(home), await readGateways(home)];
  return { instances: instances.filter(({ gone }) => !gone), gateways: gateways.filter(({ gone }) => !gone) };
}

interface Kept {
  readonly aliases: readonly string[];
  /** Its address, where it is a gateway. */
  readonly gateway?: string;
}

function keptBy({ instances, gateways }: Running, pid: number): Kept {
  const gateway = gateways.find((one) => one.pid === pid)?.url;
  const aliases = [...new Set(instances.filter((one) => one.pid === pid).map(({ alias }) => alias))];
  return { aliases, ...(gateway === undefined ? {} : { gateway }) };
}

function endOf({ pid, aliases, gateway }: Kept & { readonly pid: number }): string {
  const servers = aliases.join(', ');
  if (gateway === undefined) return `${servers} (process ${pid}) ended.`;
  return `The gateway ${gateway} (process ${pid}) ended${servers === '' ? '' : `, with ${servers}`}.`;
}

/** Throws USAGE and NOT_FOUND: nothing was ended then. */
function pidsOf(running: Running, word: string | undefined, all: boolean): number[] {
  if (all === (word !== undefined)) throw unclear(word);
  const { instances, gateways } = running;
  const everything = [...instances, ...gateways].map(({ pid }) => pid);
  if (all) return [...new Set(everything)];
  const pids = [...new Set(instances.filter(({ alias }) => alias === word).map(({ pid }) => pid))];
  for (const pid of pids) {
    const { aliases, gateway } = keptBy(running, pid);
    if (gateway !== undefined || aliases.length > 1) throw shared(pid, aliases);
  }
  if (pids.length > 0) return pids;
  const pid = /^\d{1,9}$/.test(word ?? '') ? Number(word) : 0;
  if (everything.includes(pid)) return [pid];
  throw new LockkeeperError('NOT_FOUND', {
    expected: 'the alias or the process of something that runs here',
    found: quote(word ?? '', 128),
    next: 'See what does: lk ps',
  });
}

function unclear(word: string | undefined): LockkeeperError {
  return new LockkeeperError('USAGE', {
    expected: 'one of ALIAS, PID and --all',
    found: word === undefined ? 'none of them' : `--all and ${quote(word, 128)}`,
    next: 'See what runs: lk ps',
  });
}

function shared(pid: number, aliases: readonly string[]): LockkeeperError {
  return new LockkeeperError('USAGE', {
    expected: 'a process that keeps this server alone',
    found: `process ${pid}, a gateway that keeps ${aliases.slice(0, 10).join(', ')}`,
    next: `End the gateway with all of them: lk stop ${pid}`,
  });
}

/** Told as a terminal tells it: what runs is ended in order, and said in its journal. */
function end(one: Process | undefined): void {
  try {
    // Its number is another process's once it is gone.
    if (one && isThere(one)) process.kill(one.pid, 'SIGTERM');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ESRCH') return;
    throw new LockkeeperError('FORBIDDEN', {
      expected: 'a process of yours',
      found: `process ${one?.pid}, of somebody else (${code})`,
      next: 'Ask whoever started it',
    });
  }
}

function lasting(pids: readonly number[], waitMs: number): LockkeeperError {
  return new LockkeeperError('SERVER_SILENT', {
    expected: `an end within ${waitMs / 1000} s`,
    found: `process ${pids.join(', ')} still running`,
    next: 'It may wait for calls in flight: see lk ps. Told a second time, it ends at once',
  });
}
