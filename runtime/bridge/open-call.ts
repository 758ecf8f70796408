/** One call of a stateless client, from its first request to the answer that it ends with; and why it may not go on. */
import type { JsonObject } from '../../schemas/common.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { canonical } from '../../schemas/json.ts';
import type { Pending } from '../gate/gate.ts';
import type { Id, Request, Response } from '../wire/message.ts';
import { type Notes, refusal } from './notes.ts';
import { type Envelope, MAY_ASK, tokenOf } from './words.ts';

/** Calls that may wait for their client, and questions and rounds that one of them may have. */
export const MAX_WAITING = 64;
export const MAX_QUESTIONS = 16;
export const MAX_ROUNDS = 32;
/** Questions of ours that one server has not answered: beside those in flight, those whose client went. */
export const MAX_UNANSWERED = 1024;
/** How long more questions are waited for before they are told, ms. */
export const GATHER_MS = 10;
/** Longest answer that is kept for a client that is away, bytes. */
export const MAX_KEPT = 1024 * 1024;

/** Under which of its client's requests a call runs now. */
export interface Current {
  readonly id: Id;
  readonly call: string;
}

export interface OpenCall {
  /** Its id with the server. */
  upstream: Id;
  /** The task that its server made of it. */
  task: string | null;
  readonly method: string;
  readonly target: string | undefined;
  /** What it asked for, in canonical form: a retry has to ask for the same. */
  readonly asked: string;
  /** Counts up from call to call. */
  readonly began: number;
  /** The record of its first request. */
  readonly first: string;
  readonly firstToken: Id | null;
  token: Id | null;
  capabilities: JsonObject;
  level: string | null;
  /** Null while the client is to come back. */
  current: Current | null;
  round: number;
  /** What the server asked and the client was not told yet. */
  queue: Request[];
  /** What the client was told, by the names it was told by. */
  told: Map<string, Request>;
  state: string | null;
  /** What the server answered while the client was away. */
  done: Response | null;
  late: NodeJS.Timeout | undefined;
}

export interface OpenCallsOptions {
  readonly notes: Notes;
  readonly tell: (bytes: Buffer) => void;
  /** The server is to end a task: nobody waits for its result. */
  readonly endTask: (id: string) => void;
  /** Gives the client an answer of its own era, under the id of its request. */
  readonly answer: (call: OpenCall, id: Id, message: Response) => void;
}

/** As it begins. */
export function opened(
  message: Request,
  said: Envelope & { readonly upstream: Id },
  { pending, began }: { readonly pending: Pending | undefined; readonly began: number },
): OpenCall {
  const { id, method } = message;
  const { call = '', target } = pending ?? {};
  const token = tokenOf(message);
  const asked = MAY_ASK.has(method) ? askedBy(message) : '';
  const rest = { round: 0, queue: [], told: new Map(), state: null, done: null, late: undefined };
  const known = { began, method, target, asked, first: call, firstToken: token, token };
  return { ...said, ...known, ...rest, task: null, current: { id, call } };
}

/** Whose client is there before whose is away; then the newest, as most servers ask first and work then. */
export function likelier(a: OpenCall, b: OpenCall): number {
  return Number(b.current !== null) - Number(a.current !== null) || b.began - a.began;
}

/** All that a request asks for, but for what differs each time it is sent. */
export function askedBy({ method, params }: Request): string {
  const { _meta, inputResponses: _answers, requestState: _state, ...asked } = params;
  return canonical({ method, asked });
}

export const OUTSIDE = new LockkeeperError('METHOD_REFUSED', {
  expected: 'a request of the server while a call of its client is open',
  found: 'one at another time',
  next: 'Ask while a tool runs: a client of the stateless era cannot be asked otherwise',
});
export const ENDLESS = refusal(
  `at most ${MAX_QUESTIONS} questions at once and ${MAX_ROUNDS} rounds of them in one call`,
  'more',
  'Answer the call',
);
export const UNKNOWN = refusal(
  'a requestState that this caller was given, in time and for the first time',
  'another one, or none',
  'Call anew, without requestState',
);
export const OTHER = refusal(
  'the request that was answered with this requestState, unchanged',
  'another one',
  'Send the same method, name and arguments again',
);
export const LEFT = refusal('a client that answers', 'one that did not come back', 'Do without the answer');
export const TOO_MANY = refusal(
  `at most ${MAX_WAITING} calls that wait for their clients`,
  'one more',
  'Answer those first',
);
export const TOO_LARGE = refusal(
  `an answer of at most ${MAX_KEPT} bytes while the client is away`,
  'a longer one',
  'Call again, and come back sooner',
);
