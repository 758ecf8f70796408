/** A thread that judges large answers, one after the other: from their bytes, by the same judge as every other. */
import { parentPort } from 'node:worker_threads';
import type { LockkeeperError } from '../../../schemas/errors.ts';
import { parseMessage, type Response } from '../../wire/message.ts';
import { contentJudge, type Judged } from '../results.ts';
import type { LargeAnswer, LargeJudged, LargeWork } from './judge.ts';

parentPort?.on('message', (work: LargeWork) => parentPort?.postMessage(answerTo(work)));

function answerTo({ bytes, asked, options }: LargeWork): LargeAnswer {
  try {
    const judge = contentJudge({ ...options, journal: { key: Buffer.from(options.key) } });
    const message = parseMessage(Buffer.from(bytes.buffer), true) as Response;
    return { judged: told(judge.answer(message, asked)) };
  } catch (error) {
    return { failed: (error as Error).message };
  }
}

/** The bytes only where they are others than came. */
function told({ message, found, more, hidden, error }: Judged<Response>): LargeJudged {
  const bytes = hidden ? Uint8Array.from(message.bytes) : null;
  return { found, more, bytes, error: error && said(error) };
}

function said({ code, expected, found, next }: LockkeeperError): LargeJudged['error'] {
  return { code, expected, found, next };
}
