/** The calls of one start, one after the other, each with what happened during it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { SandboxedProcess } from '../../runtime/ports.ts';
import { CLIENT_CAPABILITIES, statelessMeta } from '../../runtime/session/capture.ts';
import type { Behaviour, Called, Seen } from '../../schemas/behaviour.ts';
import type { JsonObject } from '../../schemas/common.ts';
import { type Change, diffSurfaces } from '../../schemas/diff/surfaces.ts';
import { asLockkeeperError, LockkeeperError } from '../../schemas/errors.ts';
import { type Talk, talkWith } from '../look.ts';
import type { Observed } from '../observe.ts';
import type { ScanPorts } from '../ports.ts';
import { line } from '../text.ts';
import type { Recorder, Stretch } from './record.ts';
import type { Watch } from './watch.ts';

export const MAX_CALLS = 20;
/** For one call, and for all of them together, ms. */
const CALL_MS = 5000;
const ALL_MS = 30_000;
const ANSWER_MS = 30_000;
/** The longest that a call is waited for once it was answered, and how long the last is, ms: some send a moment later. */
const AFTER_MS = 500;
const AT_LAST_MS = 250;
/** Characters of an answer that are kept. */
const WORDS = 300;

/** A tool that is to be called, and with what. */
export interface Wanted {
  readonly tool: string;
  readonly args: JsonObject;
}

export interface Calling {
  readonly observed: Observed;
  readonly ports: Pick<ScanPorts, 'answerMs'>;
  readonly wanted: readonly Wanted[];
  readonly notCalled: Behaviour['notCalled'];
  readonly recorder: Recorder;
  readonly watch: Watch;
}

type Done = Pick<Behaviour, 'unknown' | 'atStart' | 'calls' | 'notCalled' | 'changes'>;

/** Never throws: what a server did before it could not be asked is told with the reason. */
export async function callAll(server: SandboxedProcess, calling: Calling): Promise<Done> {
  const { observed, ports, wanted, recorder, watch } = calling;
  const era = observed.surface.capture.eras[0] ?? 'session';
  const talk = await talkWith(server, { era, answerMs: ports.answerMs ?? ANSWER_MS }).catch(
    asLockkeeperError,
  );
  const atStart = await recorder.end('', watch);
  if (talk instanceof LockkeeperError) return silent(talk, { calling, atStart: atStart() });
  const late = performance.now() + ALL_MS;
  const calls: (Omit<Called, 'seen'> & { seen: Stretch })[] = [];
  const notCalled = [...calling.notCalled];
  for (const { tool, args } of wanted) {
    const reason = whyNot(tool, { talk, late, last: calls.at(-1) });
    if (reason !== null) {
      notCalled.push({ tool, reason });
      continue;
    }
    const ms = Math.max(1, Math.min(CALL_MS, late - performance.now()));
    const { outcome, whole } = await call(talk, { tool, args, ms, stateless: era === 'stateless' });
    await watch.quiet(AFTER_MS);
    const seen = await recorder.end(whole, watch);
    calls.push({ tool, arguments: args, outcome, words: line(whole.slice(0, 4 * WORDS), WORDS), seen });
  }
  const [changes] = await Promise.all([changesSince(talk, observed), sleep(AT_LAST_MS)]);
  const rest = await recorder.end('', watch);
  return { unknown: null, atStart: atStart(), notCalled, changes, calls: withRest(calls, rest) };
}

function silent(error: LockkeeperError, { calling, atStart }: { calling: Calling; atStart: Seen }): Done {
  const unknown = `its tools could not be called: ${error.message}`;
  const unasked = calling.wanted.map(({ tool }) => ({ tool, reason: unknown }));
  return { unknown, atStart, calls: [], notCalled: [...calling.notCalled, ...unasked], changes: null };
}

interface State {
  readonly talk: Talk;
  readonly late: number;
  readonly last: Pick<Called, 'outcome' | 'tool'> | undefined;
}

function whyNot(tool: string, { talk, late, last }: State): string | null {
  if (last?.outcome === 'died') return `the server ended while ${last.tool} was called`;
  if (performance.now() > late) return `${ALL_MS / 1000} s had passed`;
  return Object.hasOwn(talk.surface.tools, tool) ? null : 'it was not shown in this start';
}

interface OneCall {
  readonly tool: string;
  readonly args: JsonObject;
  readonly ms: number;
  readonly stateless: boolean;
}

/** What came of it, and all that came back. */
async function call(
  { peer }: Talk,
  { tool, args, ms, stateless }: OneCall,
): Promise<{ outcome: Called['outcome']; whole: string }> {
  const meta = stateless ? { _meta: statelessMeta(CLIENT_CAPABILITIES) } : {};
  try {
    const result = await peer.ask('tools/call', { name: tool, arguments: args, ...meta }, ms);
    return { outcome: result.isError === true ? 'failed' : 'answered', whole: JSON.stringify(result) };
  } catch (thrown) {
    const { code, cause, found } = asLockkeeperError(thrown);
    const whole = JSON.stringify(cause ?? null) ?? '';
    if (code === 'SERVER_SILENT') return { outcome: 'silent', whole: found };
    return code === 'SERVER_DIED' ? { outcome: 'died', whole: found } : { outcome: 'refused', whole };
  }
}

/** What it shows otherwise now than before its first call, in this same start. */
async function changesSince(
  { surface, again }: Talk,
  { surface: { volatile } }: Observed,
): Promise<Change[] | null> {
  const now = await again().catch(() => null);
  return now === null ? null : diffSurfaces({ ...surface, volatile }, { ...now, volatile });
}

/** What came after the last call is put down to it. */
function withRest(calls: readonly (Omit<Called, 'seen'> & { seen: Stretch })[], rest: Stretch): Called[] {
  return calls.map(({ seen, ...own }, index) => {
    const mine = seen();
    if (index < calls.length - 1) return { ...own, seen: mine };
    const more = rest();
    return {
      ...own,
      seen: {
        tried: [...mine.tried, ...more.tried],
        read: [...mine.read, ...more.read],
        given: [...mine.given, ...more.given],
        processes: [...mine.processes, ...more.processes],
        written: [...mine.written, ...more.written],
      },
    };
  });
}
