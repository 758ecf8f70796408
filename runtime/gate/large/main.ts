/** A thread that judges large answers, one after the other: from their bytes, by the same judge as every other. */
import { parentPort } from 'node:worker_threads';
import type { JsonObject } from '../../../schemas/common.ts';
import type { LockkeeperError } from '../../../schemas/errors.ts';
import { summaryOf } from '../../journal/summary.ts';
import { isObject, parseMessage, type Response } from '../../wire/message.ts';
import { contentJudge, type Judged } from '../results.ts';
import { toldInside } from '../tasks.ts';
import type { LargeAnswer, LargeJudged, LargeWork, Shell } from './judge.ts';

/** Members of a result that hold what was asked for; a result inside of the state of a task has them once more. */
const HOLDERS: ReadonlySet<string> = new Set([
  'content',
  'contents',
  'messages',
  'result',
  'structuredContent',
]);
/** Characters of what is beside them, as JSON. */
const MAX_BESIDE = 64 * 1024;

parentPort?.on('message', (work: LargeWork) => parentPort?.postMessage(answerTo(work)));

function answerTo({ id, bytes, asked, options }: LargeWork): LargeAnswer {
  try {
    const key = Buffer.from(options.key);
    const judge = contentJudge({ ...options, journal: { key } });
    const message = parseMessage(Buffer.from(bytes.buffer), true, Number.POSITIVE_INFINITY);
    const answers = message.kind === 'response' || message.kind === 'error';
    if (!answers || message.id !== id) return { failed: 'it is no answer to this' };
    const judged = judge.answer(message, asked);
    return {
      judged: { ...told(judged), shell: shellOf(judged.message), summary: summariesOf(message, key) },
    };
  } catch (error) {
    return { failed: (error as Error).message };
  }
}

function summariesOf(message: Response, key: Buffer): LargeJudged['summary'] {
  const whole = summaryOf(message, key);
  const result = message.kind === 'response' ? toldInside(message.result) : undefined;
  if (result === undefined) return { whole };
  return { whole, inside: summaryOf({ kind: 'response', id: 0, result, bytes: message.bytes }, key) };
}

/** What whoever passes it on looks at: all but its content, of which only is told that it is there. */
function shellOf(message: Response): Shell | null {
  if (message.kind === 'error') {
    const { code } = message.error;
    return { kind: 'error', error: typeof code === 'number' ? { code } : {} };
  }
  const { result } = message;
  if (!isObject(result)) return { kind: 'response', result: null };
  const members = Object.entries(result);
  const beside = Object.fromEntries(members.filter(([name]) => !HOLDERS.has(name)));
  if (JSON.stringify(beside).length > MAX_BESIDE) return null;
  const held = members.filter(([name]) => HOLDERS.has(name)).map(([name, value]) => [name, hollow(value)]);
  return { kind: 'response', result: { ...beside, ...Object.fromEntries(held) } };
}

function hollow(value: JsonObject[string]): JsonObject | null {
  return isObject(value) && value.isError === true ? { isError: true } : null;
}

/** The bytes only where they are others than came. */
function told({
  message,
  found,
  more,
  hidden,
  error,
}: Judged<Response>): Omit<LargeJudged, 'shell' | 'summary'> {
  const bytes = hidden ? new Uint8Array(message.bytes) : null;
  return { found, more, bytes, error: error && said(error) };
}

function said({ code, expected, found, next }: LockkeeperError): LargeJudged['error'] {
  return { code, expected, found, next };
}
