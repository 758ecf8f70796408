/** A witness over HTTP: C2SP tlog-witness, one call, `POST /add-checkpoint`. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { judgeCheckpoint } from '../../runtime/trust/witness.ts';
import { asLockkeeperError, LockkeeperError, quote } from '../../schemas/errors.ts';
import { cosign, type Signer, type Verifier } from '../../schemas/note.ts';
import {
  type AddCheckpoint,
  MAX_ADD_BYTES,
  readAddCheckpoint,
  SIZE_TYPE,
  withLines,
} from '../../schemas/witness.ts';
import type { WitnessState } from './state.ts';

export interface WitnessOptions {
  readonly host: string;
  /** Zero takes a free one. */
  readonly port: number;
  readonly signer: Signer;
  readonly logs: readonly Verifier[];
  readonly state: WitnessState;
  readonly now: () => Date;
  /** A line for the people who run it. */
  readonly say: (line: string) => void;
}

export interface Witness {
  readonly url: string;
  close(): Promise<void>;
}

const REQUEST_MS = 10_000;
const MAX_CONNECTIONS = 64;

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** Listens and answers. Throws CONFIG_INVALID when the port is taken. */
export async function startWitness(options: WitnessOptions): Promise<Witness> {
  const inTurn = oneByOne();
  const server = createServer(
    { headersTimeout: REQUEST_MS, requestTimeout: REQUEST_MS },
    (request, response) => {
      answer(request, (asked) => inTurn(() => judge(asked, options)))
        .catch((error: unknown) => failure(error, options.say))
        .then((answered) => send(response, answered))
        .catch(() => response.destroy());
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.keepAliveTimeout = REQUEST_MS;
  // A connection that breaks, or speaks something else, is closed without a word.
  server.on('clientError', (_error, socket) => socket.destroy());
  await listen(server, options);
  const { address, port, family } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    close: async () => {
      server.closeIdleConnections();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await inTurn(async () => undefined);
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Work in the order it came: what one request decides by is what the one before it left. */
function oneByOne(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };
}

function listen(server: Server, { host, port }: WitnessOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        new LockkeeperError('CONFIG_INVALID', {
          expected: `to listen on ${quote(host)}, port ${port}`,
          found: cause.code ?? cause.message,
          next: 'Choose another place with: lk witness --listen HOST:PORT',
          cause,
        }),
      ),
    );
    server.listen(port, host, () => resolve());
  });
}

async function answer(
  request: IncomingMessage,
  judged: (asked: AddCheckpoint) => Promise<Answer>,
): Promise<Answer> {
  if (request.method !== 'POST' || request.url !== '/add-checkpoint') {
    request.resume();
    return plain(404, 'This is a witness of transparency logs: POST /add-checkpoint');
  }
  return judged(readAddCheckpoint(await bodyOf(request)));
}

/** The judgement and its effect. The memory is on disk before the cosignature leaves. */
async function judge(asked: AddCheckpoint, options: WitnessOptions): Promise<Answer> {
  const { signer, logs, state, now, say } = options;
  const judgement = judgeCheckpoint(asked, { logs, remembered: state.remembered });
  if (judgement.status === 200) {
    const line = cosign(judgement.text, signer, Math.floor(now().getTime() / 1000));
    const note = withLines(judgement.checkpoint.note, [line]);
    await state.remember({ ...judgement.checkpoint, note });
    return { status: 200, type: 'text/plain; charset=utf-8', body: line };
  }
  const { status, error, size, misbehaviour } = judgement;
  if (misbehaviour) {
    const kept = await state.keep(misbehaviour, now());
    if (kept !== null)
      say(`MISBEHAVIOUR of ${misbehaviour.origin}: ${error.message} Both notes are in ${kept}`);
  }
  return size === undefined ? plain(status, error.message) : { status, type: SIZE_TYPE, body: `${size}\n` };
}

function plain(status: number, sentence: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body: `${sentence}\n` };
}

function failure(thrown: unknown, say: (line: string) => void): Answer {
  const error = asLockkeeperError(thrown);
  if (error.code === 'FRAME_TOO_LARGE') return plain(413, error.message);
  if (error.code === 'REQUEST_INVALID' || error.code === 'DOCUMENT_INVALID') return plain(400, error.message);
  say(error.message);
  return plain(500, 'The witness could not keep its memory, and so signs nothing');
}

/** The whole body; of one that is too large the rest is read and dropped, so that the refusal reaches who sent it. */
async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= MAX_ADD_BYTES) chunks.push(chunk);
  }
  if (size <= MAX_ADD_BYTES) return Buffer.concat(chunks);
  throw new LockkeeperError('FRAME_TOO_LARGE', {
    expected: `a request of at most ${MAX_ADD_BYTES} bytes`,
    found: `${size}`,
    next: 'Send one checkpoint with its proof',
  });
}

function send(response: ServerResponse, { status, type, body }: Answer): void {
  if (response.destroyed) return;
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(body);
}
