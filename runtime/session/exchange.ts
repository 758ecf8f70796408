/** What both directions of a session share: who asked what, what may pass, and the record before its effect. */
import type { AuditBody } from '../../schemas/audit.ts';
import { asLockkeeperError, type LockkeeperError } from '../../schemas/errors.ts';
import type { GateState, Pending } from '../gate/gate.ts';
import type { ContentJudge } from '../gate/results.ts';
import { encode, type Message, refusalOf, type Unread } from '../wire/message.ts';
import { InFlight, withoutWords } from './in-flight.ts';
import type { Link } from './link.ts';
import type { OnRevoke } from './quarantine.ts';
import * as records from './records.ts';
import { StandingWishes } from './standing.ts';
import { Tasks } from './tasks.ts';

export interface ExchangeOptions {
  readonly scribe: records.Scribe;
  readonly content: ContentJudge;
  /** `about` as in `ClientPort`. */
  readonly toClient: (bytes: Buffer, about: string | null) => void;
  readonly aside: (bytes: Buffer, about: string | null) => void;
  readonly say: (line: string) => void;
  /** As of `ClientPort`. */
  readonly assertGood: () => Promise<void>;
  /** A request went to the server. */
  readonly called: () => void;
  /** Something became answered: perhaps nothing is in flight any more. */
  readonly settled: () => void;
  /** The session cannot go on. */
  readonly fail: (error: LockkeeperError) => void;
}

export class Exchange {
  readonly scribe: records.Scribe;
  readonly content: ContentJudge;
  readonly fromClient = new InFlight();
  readonly fromServer = new Map<string, Pending>();
  /** Requests of the server that are known to belong to a call of the client, by their key. */
  readonly during = new Map<string, string>();
  /** Calls whose answers never came through, one for each tool: their server may still tell what it read for them. */
  readonly unheard = new Map<string, Pending>();
  readonly wishes = new StandingWishes();
  readonly tasks: Tasks;
  /** Known once the client greeted. */
  state: GateState | null = null;
  /** There while the server runs and is known to be the locked one. */
  link: Link | null = null;
  sealed: { readonly error: LockkeeperError; readonly on: OnRevoke } | null = null;
  /** Settles when every record asked for so far is on the disk and its effect done. */
  tail: Promise<unknown> = Promise.resolve();
  readonly #o: ExchangeOptions;

  constructor(options: ExchangeOptions) {
    this.#o = options;
    this.scribe = options.scribe;
    this.content = options.content;
    this.tasks = new Tasks({
      user: options.scribe.caller.user,
      ended: ({ maker }, end) =>
        this.note({ ...records.finished(this.scribe, maker, end), kind: 'task.finished' }),
      changed: () => this.settled(),
    });
  }

  toClient(bytes: Buffer, about: string | null): void {
    this.#o.toClient(bytes, about);
  }

  aside(bytes: Buffer, about: string | null): void {
    this.#o.aside(bytes, about);
  }

  assertGood(): Promise<void> {
    return this.#o.assertGood();
  }

  called(): void {
    this.#o.called();
  }

  settled(): void {
    this.#o.settled();
  }

  fail(error: LockkeeperError): void {
    this.#o.fail(error);
  }

  /** The server is in use though nothing is in flight. */
  get needed(): boolean {
    return this.wishes.subscribed || this.tasks.open.length > 0;
  }

  /**
   * Calls that the server was at since then, and tasks that it is at: each once, also where a call just became a task. Who
   * asks after a task asks for what its call began.
   */
  atWork(from: number | undefined): Pending[] {
    const asked = this.fromClient.during(from).map((pending) => pending.task?.maker ?? pending);
    const all = [...asked, ...this.tasks.open.map(({ maker }) => maker)];
    return [...new Map(all.map((pending) => [pending.call, pending])).values()];
  }

  /** What a sealed session does not let through; null when it may pass. */
  sealedTo({ kind }: Message | Unread): LockkeeperError | null {
    const answers = kind === 'response' || kind === 'error' || kind === 'unread';
    return this.sealed && !(answers && this.sealed.on === 'finish') ? this.sealed.error : null;
  }

  /** The record first; only when it, and what is remembered of what was read, is on the disk, the effect. One that cannot be had ends the session, as no record does. */
  record(
    body: AuditBody,
    effect: () => void,
    failed: (error: LockkeeperError) => void = (error) => this.#o.fail(error),
  ): void {
    const { journal } = this.scribe;
    const kept = this.state?.policy?.kept;
    const whole = (kept ? kept.then(() => journal.append(body)) : journal.append(body)).then(effect);
    this.tail = whole.catch((thrown: unknown) => {
      const error = asLockkeeperError(thrown);
      this.#o.say(error.message);
      failed(error);
    });
  }

  note(body: AuditBody): void {
    this.scribe.journal.note(body);
  }

  /** Records how a call ended. The answer is summed up once it is passed on: a call alone waits for no record of its end. */
  finished(pending: Pending, end: records.End): void {
    const timed = { ...end, ms: performance.now() - pending.since };
    this.scribe.journal.note(() => this.#endOf(pending, timed));
  }

  /** One that cannot be summed up ends this session, and none beside it. */
  #endOf(pending: Pending, end: records.End): AuditBody {
    try {
      return records.finished(this.scribe, pending, end);
    } catch (thrown) {
      const error = asLockkeeperError(thrown);
      this.#o.fail(error);
      const { outcome, bytes } = end;
      const { code, message } = error;
      return records.finished(this.scribe, pending, { outcome, bytes, code, message });
    }
  }

  /** Records that a client's request was asked and got no answer of its server. */
  lost(pending: Pending, message: string): void {
    this.missed(pending);
    this.note(records.finished(this.scribe, pending, { outcome: 'lost', bytes: 0, message }));
  }

  /** Its answer does not reach the client. What is no tool counts alike. */
  missed(pending: Pending): void {
    const { rule, target = '', giveUp } = pending;
    if ((rule.item || rule.task) && !giveUp)
      this.unheard.set(rule.item && rule.item.section !== 'tools' ? '' : target, withoutWords(pending));
  }

  /** Nobody is asked any more: what is in flight is recorded so, and told where there is a reason to tell. */
  abandon(why: string, error: LockkeeperError | null): void {
    for (const [key, pending] of this.fromClient) {
      pending.giveUp?.();
      this.lost(pending, why);
      if (error) this.toClient(refusalOf(pending.id, error), key);
    }
    for (const pending of this.fromServer.values()) {
      this.lost(pending, why);
      // A server that is started again may count from one: an answer to this would be taken for one to its next question.
      if (error) this.aside(takenBack(pending), null);
    }
    this.fromClient.clear();
    this.fromServer.clear();
    this.tasks.lose(why);
  }
}

/** To the client that was asked. */
function takenBack({ id }: Pending): Buffer {
  const params = { requestId: id, reason: 'whoever asked is gone' };
  return encode({ jsonrpc: '2.0', method: 'notifications/cancelled', params });
}
