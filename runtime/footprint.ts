/**
 * What a runtime holds while it waits, which is most of the time: it starts without compiling for speed what runs once,
 * and gives back what a start or a busy time left behind. V8 reads these flags each time it decides.
 */
import { memoryUsage } from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** A start is over by then, ms; sooner where something ran for most of the time between two looks. */
const START_MS = 4000;
const BUSY_MS = 500;
const BUSY = 0.5;
const LOOK_MS = 10_000;
/** Share of the time between two looks in which something ran. */
const QUIET = 0.01;
/**
 * After work, collecting waits until it was quiet for so many looks on end: with what lay unused go the shapes that compiled
 * code relies on, and the calls of the first second after it took three to four times as long.
 */
const LONG = 30;
/** Bytes that are worth a pause: collecting 20 MiB took some 60 ms. */
const WORTH = 8 * 1024 * 1024;
/** Bytes used, above which collecting would hold up whoever calls just then for too long. */
const MOST = 256 * 1024 * 1024;

/**
 * Compiled for speed after some hundred runs, not some thousand: most servers are asked less than the ten thousand calls that
 * the usual figures take to get there. A function counts its runs against what held when it ran first.
 */
const TIER_UP = [
  '--invocation-count-for-maglev=100',
  '--invocation-count-for-turbofan=600',
  '--minimum-invocations-after-ic-update=100',
];
/**
 * What is new is collected by the thread that made it. There is little of it that stays: waking others to help took more
 * than it spared, a tenth of a call of 32 at once.
 */
const ALONE = '--no-parallel-scavenge';
const LIGHT = ['--no-turbofan', '--no-maglev', '--semi-space-growth-factor=1', ALONE, ...TIER_UP];
/** Room for what is new: with too little, the engine moves what one call makes to where it keeps what lives long. */
const ROOM = '--semi-space-growth-factor=2';
const USUAL = ['--turbofan', '--maglev'];

/** Called before what is started is loaded. */
export function startLight(): void {
  for (const flag of LIGHT) setFlagsFromString(flag);
}

/**
 * Called when what serves is about to. New things get room; code is compiled for speed once there is work or the start is
 * over; from then on quiet times are used. Returns what ends it.
 */
export function settle(): () => void {
  setFlagsFromString(ROOM);
  const since = performance.now();
  const busy = share();
  let timer = setInterval(() => {
    if (busy() < BUSY && performance.now() - since < START_MS) return;
    clearInterval(timer);
    for (const flag of USUAL) setFlagsFromString(flag);
    const look = looker();
    timer = setTimeout(() => {
      look();
      timer = setInterval(look, LOOK_MS).unref();
    }, START_MS / 2).unref();
  }, BUSY_MS).unref();
  return () => clearTimeout(timer);
}

/** Of the time since it was asked last, the share in which something ran. */
function share(): () => number {
  let before = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    return utilization;
  };
}

/** Collects where it was quiet for long, or since the start, and there is something to gain. */
function looker(): () => void {
  const busy = share();
  const due = longQuiet();
  let least = 0;
  return () => {
    const { rss, heapUsed } = memoryUsage();
    if (!due(busy() <= QUIET) || rss < least + WORTH || heapUsed > MOST) return;
    collect();
    least = memoryUsage.rss();
  };
}

/** Told of each look whether it was quiet; says whether that is enough: the first one is, later so many on end. */
export function longQuiet(): (quiet: boolean) => boolean {
  let onEnd = LONG - 1;
  return (quiet) => {
    onEnd = quiet ? onEnd + 1 : 0;
    return onEnd >= LONG;
  };
}

/** All that can be; pages that are free then go back to the system. */
function collect(): void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as NodeJS.GCFunction;
  setFlagsFromString('--no-expose-gc');
  gc({ type: 'major', flavor: 'last-resort' });
}
