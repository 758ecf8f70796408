/** Step 9: calls that wait for people. Their ids and places stay taken; nothing of them reaches the server meanwhile. */
import { asLockkeeperError, LockkeeperError } from '../../schemas/errors.ts';
import { judgeToServer, type Pending, type Verdict } from '../gate/gate.ts';
import { waitingCall } from '../gate/people.ts';
import type { Notification, Request } from '../wire/message.ts';
import * as wire from '../wire/message.ts';
import type { Exchange } from './exchange.ts';
import * as records from './waiting-records.ts';

/** One call, with what let it come this far. */
export interface Waiting {
  readonly message: Request;
  readonly pending: Pending;
  readonly verdict: Extract<Verdict, { allow: true }>;
}

export class Asking {
  readonly #x: Exchange;
  readonly #forward: (waiting: Waiting) => void;

  constructor(exchange: Exchange, forward: (waiting: Waiting) => void) {
    this.#x = exchange;
    this.#forward = forward;
  }

  /** The record that it waits, then the question. */
  begin(waiting: Waiting): void {
    const { message, pending } = waiting;
    const given = new AbortController();
    const held = { ...waiting, pending: { ...pending, giveUp: () => given.abort() } };
    this.#x.fromClient.set(wire.idKey(message.id), held.pending);
    const at = { ...held.pending, decision: waiting.verdict.decision, ask: waiting.verdict.ask };
    this.#x.record(
      records.waiting(this.#x.scribe, message, at),
      () => void this.#ask(held, given.signal),
      (error) => this.#refused(held, error),
    );
  }

  /** True for the cancellation of a call that waits: the server never heard of it. */
  cancelled({ method, params }: Notification): boolean {
    const { requestId } = params;
    if (method !== 'notifications/cancelled') return false;
    if (typeof requestId !== 'string' && typeof requestId !== 'number') return false;
    const key = wire.idKey(requestId);
    const pending = this.#x.fromClient.get(key);
    if (!pending?.giveUp) return false;
    this.#x.fromClient.delete(key);
    pending.giveUp();
    this.#x.note(records.withdrawn(this.#x.scribe, pending));
    this.#x.settled();
    return true;
  }

  async #ask(waiting: Waiting, signal: AbortSignal): Promise<void> {
    const { message, pending, verdict } = waiting;
    const { scribe, state } = this.#x;
    const { ask } = verdict;
    try {
      if (!ask || !state?.policy || pending.target === undefined) throw this.#gone();
      const asked = waitingCall(pending.target, message.params, { scribe, ...ask, now: new Date() });
      const approved = await state.policy.approvals.ask(asked, signal);
      // 3 who asked may be nobody any more
      await this.#x.assertGood();
      if (!this.#waits(waiting)) return;
      const error = this.#changed(waiting);
      if (error) return this.#refused(waiting, error);
      const record = records.approved(scribe, pending, { ...approved, decision: verdict.decision });
      this.#x.record(
        record,
        () => this.#waits(waiting) && this.#forward(waiting),
        (failed) => this.#refused(waiting, failed),
      );
    } catch (thrown) {
      this.#refused(waiting, asLockkeeperError(thrown));
    }
  }

  /** Neither cancelled nor answered for in the meantime. */
  #waits({ message, pending }: Waiting): boolean {
    return this.#x.fromClient.get(wire.idKey(message.id)) === pending;
  }

  /** Steps 3 to 8 and 10 again, but for what was counted when it began to wait: while people thought, the lock, the server or the session may have become another. */
  #changed({ message, verdict }: Waiting): LockkeeperError | null {
    const { state, sealed, link } = this.#x;
    if (sealed) return sealed.error;
    if (!state || !link) return this.#gone();
    const others = new Map(state.fromClient);
    others.delete(wire.idKey(message.id));
    const again = judgeToServer(message, { ...state, fromClient: others, counted: true });
    if (!again.allow) return again.error;
    if ((again.ask?.people ?? 0) <= (verdict.ask?.people ?? 0)) return null;
    return new LockkeeperError('CALL_UNANSWERED', {
      expected: 'as many people as the policy asks for now',
      found: 'a question to fewer',
      next: 'Make the call again',
    });
  }

  #gone(): LockkeeperError {
    return new LockkeeperError('SERVER_DIED', {
      expected: 'the server to be there when people had let the call pass',
      found: 'none',
      next: 'Make the call again',
    });
  }

  #refused(waiting: Waiting, error: LockkeeperError): void {
    const { message, pending, verdict } = waiting;
    if (!this.#waits(waiting)) return;
    const key = wire.idKey(message.id);
    this.#x.fromClient.delete(key);
    const record = records.rejected(this.#x.scribe, pending, { error, decision: verdict.decision });
    this.#x.record(record, () => this.#x.toClient(wire.refusalOf(message.id, error), key));
    this.#x.settled();
  }
}
