/** Calls of a stateless client that a server with a session has: some of them wait for their client to come back. */
import { randomBytes } from 'node:crypto';
import type { AuditBody } from '../../schemas/audit.ts';
import type { Json, JsonObject } from '../../schemas/common.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { unknownTask } from '../gate/tasks.ts';
import * as records from '../session/records.ts';
import { TransientMap } from '../transient-map.ts';
import { type Id, idKey, isObject, type Request, type Response, refusalOf } from '../wire/message.ts';
import type { Round } from './notes.ts';
import {
  askedBy,
  type Current,
  ENDLESS,
  GATHER_MS,
  LEFT,
  likelier,
  MAX_KEPT,
  MAX_QUESTIONS,
  MAX_ROUNDS,
  MAX_WAITING,
  type OpenCall,
  type OpenCallsOptions,
  OTHER,
  OUTSIDE,
  opened,
  TOO_LARGE,
  TOO_MANY,
  UNKNOWN,
} from './open-call.ts';
import type { BridgeOptions } from './ports.ts';
import { Questions } from './questions.ts';
import { type Envelope, failure, MAY_ASK, notice, response, tokenOf } from './words.ts';

export class OpenCalls {
  readonly #b: BridgeOptions;
  readonly #o: OpenCallsOptions;
  /** What the server has not answered. */
  readonly #open = new TransientMap<string, OpenCall>();
  /** What the client is to come back for, by the state it was given: 32 random bytes, good for one use. */
  readonly #away = new Map<string, OpenCall>();
  readonly #questions: Questions;
  #count = 0;

  constructor(bridge: BridgeOptions, options: OpenCallsOptions) {
    this.#b = bridge;
    this.#o = options;
    this.#questions = new Questions(bridge.exchange);
  }

  get isWaiting(): boolean {
    return this.#away.size > 0;
  }

  get inFlight(): OpenCall[] {
    return this.#open.all().filter(({ current }) => current !== null);
  }

  /** One that the server has, by its id there. */
  of(upstream: Id | null): OpenCall | undefined {
    return upstream === null ? undefined : this.#open.get(idKey(upstream));
  }

  ofTask(id: string): OpenCall | undefined {
    return this.#open.all().find(({ task }) => task === id);
  }

  /** The server answers it under another id from now on. False: it is over. */
  moved(call: OpenCall, upstream: Id): boolean {
    if (this.of(call.upstream) !== call) return false;
    this.#open.take(idKey(call.upstream));
    call.upstream = upstream;
    this.#open.set(idKey(upstream), call);
    return true;
  }

  open(message: Request, said: Envelope & { readonly upstream: Id }): void {
    const pending = this.#b.exchange.fromClient.get(idKey(message.id));
    this.#open.set(idKey(said.upstream), opened(message, said, { pending, began: ++this.#count }));
  }

  /** The server's answer to one of them, which is given to its client. False: it is none. */
  answered(message: Response, give: OpenCallsOptions['answer'] = this.#o.answer): boolean {
    const key = message.id === null ? '' : idKey(message.id);
    const call = this.#open.take(key);
    if (!call) return false;
    this.#refuse(call, 'the call was answered without it', LEFT);
    if (call.current) {
      this.#forget(call);
      give(call, call.current.id, message);
    } else
      call.done =
        message.bytes.length <= MAX_KEPT ? message : (failure(call.upstream, TOO_LARGE) as Response);
    return true;
  }

  /** The server asks for the call of a task, or does not say for which: then the likeliest that can be asked. Else, why not. */
  ask(message: Request, task?: Json): LockkeeperError | null {
    const open = this.#open
      .all()
      .filter(({ method }) => MAY_ASK.has(method))
      .sort(likelier);
    const named = task === undefined ? undefined : open.find((call) => call.task === task);
    if (task !== undefined && !named) return unknownTask(task);
    const of = named ?? open.find((call) => this.#questions.judge(message, call).allow) ?? open[0];
    if (!of) return OUTSIDE;
    if (of.queue.length + of.told.size >= MAX_QUESTIONS || of.round >= MAX_ROUNDS) return ENDLESS;
    const asked = this.#questions.put(message, of);
    if (asked instanceof LockkeeperError) return asked;
    of.queue.push(asked);
    // Questions that are asked at once are one round.
    setTimeout(() => this.#tell(of, named ? 1 : open.length), GATHER_MS).unref();
    return null;
  }

  /** Once the record is on the disk, the client is answered with what the server asks. */
  #tell(call: OpenCall, amid = 1): void {
    const { current, queue } = call;
    const isOpen = this.#open.has(idKey(call.upstream));
    if (!isOpen || !current || queue.length === 0 || call.state !== null) return;
    if (this.#away.size >= MAX_WAITING)
      return this.#abandon(call, 'too many calls wait for their clients', TOO_MANY);
    const state = randomBytes(32).toString('base64url');
    call.round++;
    call.state = state;
    call.told = new Map(queue.map((question, at) => [`input-${at + 1}`, question]));
    call.queue = [];
    this.#away.set(state, call);
    const asks = queue.map(({ method }) => method);
    const { exchange } = this.#b;
    exchange.record(
      this.#round(call, current, { direction: 'to-client', asks, ...(amid > 1 ? { amid } : {}) }),
      () => {
        // Answered or cancelled by now.
        if (this.#away.get(state) !== call || call.current !== current) return;
        call.current = null;
        call.late = setTimeout(() => this.#late(call), this.#b.answerMs);
        call.late.unref();
        const inputRequests = Object.fromEntries(
          [...call.told].map(([name, { method, params }]) => [name, { method, params }]),
        );
        this.#b.heard(
          response(current.id, { resultType: 'input_required', inputRequests, requestState: state }),
        );
      },
    );
  }

  /** The client came back: the same request under a new id, with what it was asked for. */
  again(message: Request, { capabilities, level }: Envelope): void {
    const { exchange, heard } = this.#b;
    const { requestState: state, inputResponses } = message.params;
    const call = typeof state === 'string' ? this.#away.get(state) : undefined;
    const error = !call || call.current ? UNKNOWN : call.asked === askedBy(message) ? null : OTHER;
    if (error || !call || typeof state !== 'string') {
      const refused = { direction: 'to-server', error: error ?? UNKNOWN } as const;
      exchange.note(records.refused(exchange.scribe, message, refused));
      return heard(failure(message.id, error ?? UNKNOWN));
    }
    const current = { id: message.id, call: exchange.fromClient.get(idKey(message.id))?.call ?? '' };
    const answers: JsonObject = isObject(inputResponses) ? inputResponses : {};
    const told = call.told;
    const asks = [...told.keys()].filter((name) => Object.hasOwn(answers, name));
    exchange.note(this.#round(call, current, { direction: 'to-server', asks }));
    this.#forget(call);
    Object.assign(call, { current, capabilities, level, token: tokenOf(message) });
    if (call.done) return this.#o.answer(call, current.id, call.done);
    for (const [name, question] of told) {
      const answer = Object.hasOwn(answers, name) ? answers[name] : undefined;
      if (!this.#questions.has(question.id)) continue;
      if (isObject(answer)) this.#o.tell(this.#questions.answered(question, answer));
      else call.queue.push(question);
    }
    this.#tell(call);
  }

  /** The server takes a question back. */
  withdrawn(id: Json | undefined): void {
    const of = this.#questions.withdrawn(id);
    if (of) of.queue = of.queue.filter((question) => question.id !== id);
  }

  /** The client does not wait for this request of its any more. */
  cancel(id: Id): void {
    const call = this.inFlight.find(({ current }) => current?.id === id);
    if (call) this.#abandon(call, 'cancelled by the client', LEFT);
  }

  #late(call: OpenCall): void {
    const current = { id: call.upstream, call: call.first };
    const over = 'the client did not come back';
    this.#b.exchange.note(this.#round(call, current, { direction: 'to-client', asks: [], over }));
    this.#abandon(call, over, LEFT);
  }

  /** The server is told that its questions have no answer, and that the call is over. */
  #abandon(call: OpenCall, why: string, error: LockkeeperError): void {
    this.#refuse(call, why, error);
    this.#forget(call);
    if (!this.#open.take(idKey(call.upstream))) return;
    if (call.task !== null) this.#o.endTask(call.task);
    this.#o.tell(notice('notifications/cancelled', { requestId: call.upstream, reason: why }).bytes);
    if (error === TOO_MANY && call.current) this.#b.heard(failure(call.current.id, error));
  }

  /** Its questions are over, and the server is told so: one of them may have been another call's. */
  #refuse(call: OpenCall, why: string, error: LockkeeperError): void {
    const asked = [...call.queue, ...call.told.values()].filter(({ id }) => this.#questions.has(id));
    this.#questions.drop(call, why);
    for (const { id } of asked) this.#o.tell(refusalOf(id, error));
  }

  /** Its client is not waited for any more. */
  #forget(call: OpenCall): void {
    clearTimeout(call.late);
    if (call.state !== null && this.#away.delete(call.state)) this.#b.idle();
    call.state = null;
    call.told = new Map();
  }

  #round(
    call: OpenCall,
    { call: own }: Current,
    rest: Pick<Round, 'direction' | 'asks' | 'amid' | 'over'>,
  ): AuditBody {
    const { method, target, round, state, first } = call;
    const of = own === first ? {} : { of: first };
    return this.#o.notes.round({ call: own, ...of, method, target, round, state, ...rest });
  }

  over(): void {
    for (const { late } of this.#away.values()) clearTimeout(late);
    this.#open.takeAll();
    this.#away.clear();
    this.#questions.over();
  }
}
