import { setTimeout as sleep } from 'node:timers/promises';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { type Command, flag, option, whole } from '../command.ts';
import { type HostGateway, readGateways } from '../gateways.ts';
import { type HostInstance, readInstances } from '../instances.ts';
import { isThere, type Process } from '../presence.ts';

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
    const home = context.home.dir;
    const running = await runningAt(home);
    const wanted = wantedOf(running, word, flag(values, 'all'));
    const refused = wanted.flatMap((one) => end(one) ?? []);
    const told = wanted.filter(({ held }) => !refused.some((one) => one.held === held));
    let left = told;
    for (const until = performance.now() + waitMs; left.length > 0; await sleep(LOOK_MS)) {
      left = left.filter((one) => isThere(home, one));
      context.progress(left.length > 0 ? `waiting for ${left.map(({ pid }) => pid).join(', ')}` : '');
      if (left.length > 0 && performance.now() > until) throw lasting(left, waitMs);
    }
    const stopped = told.map((one) => ({ pid: one.pid, ...keptBy(running, one) }));
    if (refused.length > 0) throw notOurs(refused, stopped.map(endOf));
    return { data: { stopped }, text: stopped.map(endOf).join('\n') || 'Nothing runs here.' };
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

function keptBy({ instances, gateways }: Running, { held }: Process): Kept {
  const gateway = gateways.find((one) => one.held === held)?.url;
  const own = instances.filter((one) => one.held === held);
  const aliases = [...new Set(own.map(({ alias }) => alias))];
  return { aliases, ...(gateway === undefined ? {} : { gateway }) };
}

function endOf({ pid, aliases, gateway }: Kept & { readonly pid: number }): string {
  const servers = aliases.join(', ');
  if (gateway === undefined) return `${servers} (process ${pid}) ended.`;
  return `The gateway ${gateway} (process ${pid}) ended${servers === '' ? '' : `, with ${servers}`}.`;
}

/** Throws USAGE and NOT_FOUND: nothing was ended then. */
function wantedOf(running: Running, word: string | undefined, all: boolean): Process[] {
  if (all === (word !== undefined)) throw unclear(word);
  const { instances, gateways } = running;
  const everything = once([...instances, ...gateways]);
  if (all) return everything;
  const named = instances.filter(({ alias }) => alias === word);
  for (const one of once(named)) {
    const { aliases, gateway } = keptBy(running, one);
    if (gateway !== undefined || aliases.length > 1) throw shared(one.pid, aliases);
  }
  // Each project has names of its own: the same one may be another server in another.
  if (new Set(named.map(({ project }) => project)).size > 1) throw several(named);
  if (named.length > 0) return once(named);
  const numbered = everything.filter(({ pid }) => String(pid) === word);
  const [found] = [...numbered.filter(({ here }) => here), ...numbered];
  if (found) return [found];
  throw new LockkeeperError('NOT_FOUND', {
    expected: 'the alias or the process of something that runs here',
    found: quote(word ?? '', 128),
    next: 'See what does: lk ps',
  });
}

/** Each process once, whatever it keeps. */
function once(kept: readonly Process[]): Process[] {
  return [...new Map(kept.map((one) => [one.held, one])).values()];
}

function several(named: readonly HostInstance[]): LockkeeperError {
  const each = named.map(({ project, pid }) => `${project} (process ${pid})`);
  return new LockkeeperError('USAGE', {
    expected: `one project in which ${named[0]?.alias} runs`,
    found: each.slice(0, 10).join(', '),
    next: `End the one that you mean by its process, such as: lk stop ${named[0]?.pid}`,
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

interface NotOurs extends Pick<Process, 'held'> {
  readonly found: string;
}

/** Told as a terminal tells it: what runs is ended in order, and said in its journal. Null, or why it could not be told. */
function end({ held, pid, here }: Process): NotOurs | null {
  if (!here) return { held, found: `process ${pid}, of another container or machine` };
  try {
    process.kill(pid, 'SIGTERM');
    return null;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ESRCH' ? null : { held, found: `process ${pid}, of somebody else (${code})` };
  }
}

function notOurs(refused: readonly NotOurs[], ended: readonly string[]): LockkeeperError {
  const found = refused.map((one) => one.found).slice(0, 10);
  return new LockkeeperError('FORBIDDEN', {
    expected: 'processes of yours, of this machine and container',
    found: [found.join(', '), ...ended.map((line) => line.replace(/\.$/, ''))].join('; '),
    next: 'Run lk stop where it runs, or ask whoever started it',
  });
}

function lasting(left: readonly Process[], waitMs: number): LockkeeperError {
  return new LockkeeperError('SERVER_SILENT', {
    expected: `an end within ${waitMs / 1000} s`,
    found: `process ${left.map(({ pid }) => pid).join(', ')} still running`,
    next: 'It may wait for calls in flight: see lk ps. Told a second time, it ends at once',
  });
}
