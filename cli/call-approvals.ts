/** Asking people about a call, through the registry: it carries questions and answers, and is believed only when it denies. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CallApprovals, WaitingCall } from '../runtime/gate/people.ts';
import { type ApprovedCall, assertCallApproved } from '../runtime/trust/call.ts';
import type { TrustedRoot } from '../runtime/trust/root.ts';
import { CallAnswer, type CallFacts, CallTaken, callId } from '../schemas/call.ts';
import type { JsonObject } from '../schemas/common.ts';
import { asLockkeeperError, type Code, LockkeeperError, quote } from '../schemas/errors.ts';
import type { Api } from './api.ts';

interface AskTiming {
  /** How long the registry holds one question, seconds: at most 20. */
  readonly holdS: number;
  readonly firstWaitMs: number;
  readonly mostWaitMs: number;
}

const TIMING: AskTiming = { holdS: 20, firstWaitMs: 500, mostWaitMs: 5000 };

export interface Asker {
  readonly api: Api;
  /** The root that the lock carries: whose keys count. */
  readonly trusted: TrustedRoot;
  /** Tells whoever stands at this machine that a call waits, and what to do. */
  readonly say: (line: string) => void;
  readonly timing?: Partial<AskTiming>;
}

/** Verdicts are passed on as they are; anything else says only that nobody could be asked. */
const VERDICTS: ReadonlySet<Code> = new Set(['CALL_REJECTED', 'CALL_EXPIRED', 'RELEASE_REVOKED']);
/** What the next question may not meet again. */
const PASSING: ReadonlySet<Code> = new Set(['REGISTRY_UNREACHABLE', 'RATE_LIMITED', 'DATABASE_UNAVAILABLE']);

export function callApprovalsOf(asker: Asker): CallApprovals {
  return { ask: (call, signal) => new Question(asker, call, signal).ask() };
}

class Question {
  readonly #o: Asker;
  readonly #timing: AskTiming;
  readonly #facts: CallFacts;
  readonly #args: JsonObject;
  readonly #id: string;
  readonly #signal: AbortSignal;
  /** The client gave it up, or its time is over. */
  readonly #over: AbortSignal;

  constructor(asker: Asker, { arguments: args, ...facts }: WaitingCall, signal: AbortSignal) {
    this.#o = asker;
    this.#timing = { ...TIMING, ...asker.timing };
    this.#facts = { nonce: randomBytes(16).toString('hex'), ...facts };
    this.#args = args;
    this.#id = callId(this.#facts);
    this.#signal = signal;
    const left = Math.max(1, Date.parse(facts.expires) - Date.now());
    this.#over = AbortSignal.any([signal, AbortSignal.timeout(left)]);
  }

  async ask(): Promise<ApprovedCall> {
    const { api, trusted, say } = this.#o;
    const { tool, people } = this.#facts;
    let taken = false;
    try {
      const body = { facts: this.#facts, arguments: this.#args };
      this.#assertAbout((await this.#within(api.call('callAsk', CallTaken, { body }))).id);
      say(`${tool} waits for ${people === 1 ? 'a person' : 'two people'}: lk calls show ${this.#id}`);
      const envelopes = await this.#answered();
      const approved = assertCallApproved(envelopes, this.#facts, { trusted, now: new Date() });
      const take = api.call('callUse', CallTaken, { parameters: { id: this.#id }, body: {} });
      const { id, state } = await this.#within(take);
      this.#assertAbout(id);
      taken = state === 'used';
      if (!taken) throw this.#unanswered(`a call that is ${state}`);
      return approved;
    } catch (thrown) {
      throw this.#told(thrown);
    } finally {
      if (!taken) this.#withdraw();
    }
  }

  /** What people signed, once it is enough for the registry; here it is counted again. */
  async #answered(): Promise<CallAnswer['envelopes']> {
    const { firstWaitMs, mostWaitMs } = this.#timing;
    for (let failures = 0; ; ) {
      try {
        const answer = await this.#answer();
        failures = 0;
        if (answer.state === 'approved') return answer.envelopes;
        if (answer.state !== 'waiting') throw this.#refused(answer);
        // A registry that does not hold the question is not asked in a circle.
        await this.#pause(firstWaitMs);
      } catch (thrown) {
        if (!PASSING.has(asLockkeeperError(thrown).code)) throw thrown;
        await this.#pause(Math.min(mostWaitMs, firstWaitMs * 2 ** Math.min(failures++, 10)));
      }
    }
  }

  async #answer(): Promise<CallAnswer> {
    const query = { wait: String(this.#timing.holdS) };
    const answer = await this.#within(
      this.#o.api.call('callAnswer', CallAnswer, { parameters: { id: this.#id }, query }),
    );
    this.#assertAbout(answer.id);
    return answer;
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms * (0.5 + Math.random() / 2), undefined, { signal: this.#over }).catch(() => undefined);
    this.#assertWaiting();
  }

  /** Gives up with the call: an answer that comes later is nobody's. */
  async #within<T>(answer: Promise<T>): Promise<T> {
    const { promise: over, reject } = Promise.withResolvers<never>();
    const stop = (): void => reject(this.#ended());
    this.#over.addEventListener('abort', stop, { once: true });
    if (this.#over.aborted) stop();
    try {
      return await Promise.race([answer, over]);
    } finally {
      this.#over.removeEventListener('abort', stop);
    }
  }

  #assertWaiting(): void {
    if (this.#over.aborted) throw this.#ended();
  }

  #ended(): LockkeeperError {
    return this.#signal.aborted ? this.#unanswered('a client that gave the call up') : this.#expired();
  }

  #expired(): LockkeeperError {
    const { tool, expires } = this.#facts;
    return new LockkeeperError('CALL_EXPIRED', {
      expected: `a decision on ${quote(tool, 128)} by ${expires}`,
      found: 'none',
      next: 'Make the call again, and tell those who decide: lk calls',
    });
  }

  #assertAbout(id: string): void {
    if (id !== this.#id) throw this.#unanswered(`an answer about ${id}`);
  }

  #refused({ state, rejected }: CallAnswer): LockkeeperError {
    const { tool } = this.#facts;
    if (rejected) {
      return new LockkeeperError('CALL_REJECTED', {
        expected: `${quote(tool, 128)} to be approved`,
        found: `${rejected.person} turned it down: ${quote(rejected.reason, 300)}`,
        next: 'Ask them, or do without it',
      });
    }
    return state === 'expired' ? this.#expired() : this.#unanswered(`a call that is ${state}`);
  }

  #unanswered(found: string, cause?: unknown): LockkeeperError {
    return new LockkeeperError('CALL_UNANSWERED', {
      expected: `people to decide on ${quote(this.#facts.tool, 128)}, asked at ${this.#o.api.registry}`,
      found,
      next: 'Check the registry with: lk doctor, then make the call again',
      cause,
    });
  }

  /** A verdict, or what is wrong with an approval, as it is; what merely went wrong is no answer. */
  #told(thrown: unknown): LockkeeperError {
    const error = asLockkeeperError(thrown);
    const judged = !(thrown instanceof LockkeeperError) || UNTRUE.has(error.code) || VERDICTS.has(error.code);
    return judged || error.code === 'CALL_UNANSWERED' ? error : this.#unanswered(error.message, error);
  }

  /** So that nobody decides on what is over. It is over here whatever becomes of this. */
  #withdraw(): void {
    this.#o.api
      .within(5000)
      .call('callWithdraw', CallTaken, { parameters: { id: this.#id }, body: {} })
      .catch(() => undefined);
  }
}

/** What a registry that lies is caught by. */
const UNTRUE: ReadonlySet<Code> = new Set([
  'SIGNATURE_INVALID',
  'KEY_UNKNOWN',
  'CALL_SUBJECT',
  'APPROVAL_REQUESTER',
  'APPROVAL_THRESHOLD',
  'JSON_INVALID',
]);
