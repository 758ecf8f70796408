/**
 * What a runtime holds while it waits, which is most of the time: it starts without compiling for speed what runs once,
 * and gives back what a start or a busy time left behind. V8 reads these flags each time it decides.
 */
import { memoryUsage } from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** A start is over by then, ms. */
const START_MS = 4000;
const LOOK_MS = 10_000;
/** Share of the time between two looks in which something ran. */
const QUIET = 0.01;
/** Bytes that are worth a pause: collecting 20 MiB took some 60 ms. */
const WORTH = 8 * 1024 * 1024;
/** Bytes used, above which collecting would hold up whoever calls just then for too long. */
const MOST = 256 * 1024 * 1024;

const LIGHT = ['--no-turbofan', '--no-maglev', '--semi-space-growth-factor=1'];
/** Room for what is new. Calls that begin without it are slow ever after: to the engine, all that they make lives long. */
const ROOM = '--semi-space-growth-factor=2';
const USUAL = ['--turbofan', '--maglev'];

/** Called before what is started is loaded. */
export function startLight(): void {
  for (const flag of LIGHT) setFlagsFromString(flag);
}

/** Called when what serves is about to: new things get room, code is compiled for speed soon, quiet times are used. Returns what ends it. */
export function settle({ startMs = START_MS, lookMs = LOOK_MS } = {}): () => void {
  setFlagsFromString(ROOM);
  let timer = setTimeout(() => {
    for (const flag of USUAL) setFlagsFromString(flag);
    const look = looker();
    timer = setTimeout(() => {
      look();
      timer = setInterval(look, lookMs).unref();
    }, startMs / 2).unref();
  }, startMs).unref();
  return () => clearTimeout(timer);
}

/** Collects where nearly nothing ran since the last look, and there is something to gain. */
function looker(): () => void {
  let before = performance.eventLoopUtilization();
  let least = 0;
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    const { rss, heapUsed } = memoryUsage();
    if (utilization > QUIET || rss < least + WORTH || heapUsed > MOST) return;
    collect();
    least = memoryUsage.rss();
  };
}

/** All that can be; pages that are free then go back to the system. */
function collect(): void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as NodeJS.GCFunction;
  setFlagsFromString('--no-expose-gc');
  gc({ type: 'major', flavor: 'last-resort' });
}
