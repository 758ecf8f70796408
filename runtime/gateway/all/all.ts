/** All locked servers as one: names carry the alias, each call goes to the one server it names, through its own gate. */
import { randomUUID } from 'node:crypto';
import type { AuditBody } from '../../../schemas/audit.ts';
import type { Json, JsonObject } from '../../../schemas/common.ts';
import { asLockkeeperError, type LockkeeperError } from '../../../schemas/errors.ts';
import type { Era } from '../../../schemas/surface.ts';
import { NOTICES_TO_SERVER } from '../../gate/methods.ts';
import { unknownMethod } from '../../gate/refusals.ts';
import { memberOf } from '../../gate/task-terms.ts';
import { noTasks } from '../../gate/tasks.ts';
import type { Journal } from '../../journal/journal.ts';
import { eraOf, helloFor, notFirst } from '../../session/era.ts';
import { told } from '../../session/known.ts';
import type { ClientPort, SessionEnd } from '../../session/options.ts';
import * as records from '../../session/records.ts';
import {
  encode,
  idKey,
  type Message,
  type Notification,
  noResourceOf,
  type Request,
  refusalOf,
} from '../../wire/message.ts';
import type { Backend, Door, Visit } from '../ports.ts';
import { ENDED } from '../refusals.ts';
import { itemsOfAll, type Listing, tasksOfAll, withoutToken } from './lists.ts';
import type { Hello } from './merged.ts';
import type { Names } from './names.ts';
import { Parts } from './parts.ts';
import { listedBy, route } from './routes.ts';

const LISTEN = 'subscriptions/listen';
const SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId';

export interface AllOptions {
  /** By alias, in the order of their lists. */
  readonly doors: ReadonlyMap<string, Door>;
  readonly names: Names;
  readonly hello: Hello;
  readonly eras: readonly Era[];
  /** Why nobody is asked under these aliases. */
  readonly closed: ReadonlyMap<string, LockkeeperError>;
  readonly journal: Journal;
  /** How long one server may take for what all are asked, ms. */
  readonly askMs?: number | undefined;
}

export class All implements Backend {
  readonly #o: AllOptions;
  readonly #port: ClientPort;
  readonly #scribe: records.Pen;
  readonly #parts: Parts;
  /** Requests of the client, and who has them; null: we ourselves. */
  readonly #asked = new Map<string, string | null>();
  readonly #over = Promise.withResolvers<SessionEnd>();
  #tail: Promise<unknown> = Promise.resolve();
  #era: Era | null = null;
  #first: JsonObject = {};
  #ended = false;

  constructor(options: AllOptions, visit: Visit, port: ClientPort) {
    this.#o = options;
    this.#port = port;
    const { caller } = visit.who;
    this.#scribe = { journal: options.journal, session: randomUUID(), caller, subject: null };
    this.#parts = new Parts({
      ...{ doors: options.doors, visit, port, askMs: options.askMs },
      greeting: () => (this.#era === 'session' ? this.#first : null),
      answered: (key) => void this.#asked.delete(key),
      ended: (alias, error) => this.#unanswered(alias, error),
    });
  }

  get recorded(): Promise<unknown> {
    return Promise.all([this.#tail, this.#parts.recorded]);
  }

  async run(): Promise<SessionEnd> {
    const end = await this.#over.promise;
    this.#ended = true;
    await Promise.all([this.#tail, this.#parts.end(end.reason)]);
    return end;
  }

  end(reason: SessionEnd['reason']): void {
    this.#ended = true;
    this.#over.resolve({ reason, error: null });
  }

  take(message: Message): void {
    if (message.kind === 'request') return this.#request(message);
    if (message.kind === 'notification') return this.#notice(message);
    if (!this.#parts.answer(message)) this.#unbound('an answer to nothing that a server asked');
  }

  #request(message: Request): void {
    try {
      // What comes while its servers stop would begin a conversation that nobody ends.
      if (this.#ended) throw ENDED;
      if (this.#era === null && this.#begins(message)) return;
      const key = idKey(message.id);
      const own = this.#own(message);
      if (own) {
        this.#asked.set(key, null);
        own.then(
          (result) => this.#answer(message, result),
          (thrown: unknown) => this.#refuse(message, asLockkeeperError(thrown)),
        );
        return;
      }
      const { alias, message: routed } = route(message, { ...this.#o, era: this.#era ?? 'session' });
      this.#asked.set(key, alias);
      this.#parts.take(alias, routed);
    } catch (thrown) {
      this.#refuse(message, asLockkeeperError(thrown));
    }
  }

  /** The first request decides the era. True: it is answered. */
  #begins(message: Request): boolean {
    const { eras, hello } = this.#o;
    const era = eraOf(message);
    if (message.method === 'ping' && era === null) return false;
    if (era === null || !eras.includes(era)) throw notFirst(message.method);
    this.#era = era;
    if (era === 'stateless') return false;
    this.#first = message.params;
    const { instructions, serverInfo } = hello;
    const rest = { capabilities: hello.capabilities.session, serverInfo };
    const said = instructions === null ? rest : { ...rest, instructions };
    this.#port.send(helloFor(message, said), idKey(message.id), undefined);
    return true;
  }

  /** What we answer ourselves; null for what is one server's. */
  #own(message: Request): Promise<JsonObject> | null {
    const { id, method, params } = message;
    const { hello } = this.#o;
    const section = listedBy(method);
    if (section) return this.#list(method, section, params);
    if (method === 'tasks/list' && this.#era === 'session') return this.#tasks(method);
    if (method === 'ping' && this.#era !== 'stateless') return Promise.resolve({});
    if (method === 'logging/setLevel' && this.#era === 'session') return this.#setLevel(params);
    if (method === 'server/discover' && this.#era === 'stateless') {
      const { instructions } = hello;
      const capabilities = hello.capabilities.stateless;
      const said = { supportedVersions: ['2026-07-28'], capabilities };
      this.#o.journal.note(records.answeredFromLock(this.#scribe, message));
      return Promise.resolve(this.#told(instructions === null ? said : { ...said, instructions }));
    }
    if (method !== LISTEN || this.#era !== 'stateless') return null;
    // The lists change with the lock alone, and then the session ends: there is nothing to be told before.
    const said = {
      method: 'notifications/subscriptions/acknowledged',
      params: { _meta: { [SUBSCRIPTION]: id } },
    };
    this.#port.aside(encode({ jsonrpc: '2.0', ...said }), idKey(id), undefined);
    return new Promise(() => undefined);
  }

  async #list(
    method: string,
    section: NonNullable<ReturnType<typeof listedBy>>,
    { _meta }: JsonObject,
  ): Promise<JsonObject> {
    const params = withoutToken(_meta);
    const { doors, names } = this.#o;
    const all = { ...this.#listing(method), aliases: [...doors.keys()], names };
    return this.#told({ [section]: await itemsOfAll({ method, section, params }, all) });
  }

  async #tasks(method: string): Promise<JsonObject> {
    if (!memberOf(this.#o.hello.capabilities.session, ['tasks', 'list'])) throw noTasks(method);
    return { tasks: await tasksOfAll(this.#listing(method)) };
  }

  #listing(method: string): Listing {
    const late = (alias: string): void =>
      this.#unbound(`${method} of ${alias}, which took too long`, 'to-client');
    return { parts: this.#parts, late };
  }

  async #setLevel(params: JsonObject): Promise<JsonObject> {
    await Promise.all(this.#parts.all.map((part) => part.ask('logging/setLevel', params)));
    return {};
  }

  #told(result: JsonObject): JsonObject {
    return told(this.#era ?? 'session', result, this.#o.hello);
  }

  #answer({ id }: Request, result: JsonObject): void {
    if (!this.#asked.delete(idKey(id))) return;
    this.#port.send(encode({ jsonrpc: '2.0', id, result }), idKey(id), undefined);
  }

  #refuse(message: Request, error: LockkeeperError): void {
    const record = this.#refusedAs(message, error);
    const bytes = this.#refusal(message, error);
    const answer = (): void => this.#port.send(bytes, idKey(message.id), undefined);
    this.#tail = this.#o.journal.append(record).then(answer, (thrown: unknown) => {
      this.#over.resolve({ reason: 'refused', error: asLockkeeperError(thrown) });
    });
  }

  #refusedAs(message: Request | Notification, error: LockkeeperError): AuditBody {
    return records.refused(this.#scribe, message, { direction: 'to-server', error });
  }

  #refusal({ id, method, params }: Request, error: LockkeeperError): Buffer {
    const missing = method === 'resources/read' && error.code === 'TOOL_REFUSED';
    return missing && this.#era && typeof params.uri === 'string'
      ? noResourceOf(id, params.uri, { era: this.#era, error })
      : refusalOf(id, error);
  }

  #notice(message: Notification): void {
    const { method, params } = message;
    if (method === 'notifications/initialized' || this.#ended) return;
    if (method === 'notifications/progress') {
      if (!this.#parts.progress(message)) this.#unbound('progress of nothing that a server asked');
      return;
    }
    if (method === 'notifications/cancelled') return this.#cancelled(message, params.requestId);
    if (NOTICES_TO_SERVER.has(method)) for (const part of this.#parts.opened) part.take(message);
    else this.#o.journal.note(this.#refusedAs(message, unknownMethod(method, 'to the server')));
  }

  #cancelled(message: Notification, id: Json | undefined): void {
    const key = typeof id === 'string' || typeof id === 'number' ? idKey(id) : '';
    const alias = this.#asked.get(key);
    if (alias === undefined) return this.#unbound('the end of a request that nobody has');
    this.#asked.delete(key);
    if (alias !== null) this.#parts.of(alias).take(message);
  }

  #unbound(why: string, direction: 'to-server' | 'to-client' = 'to-server'): void {
    this.#o.journal.note(records.unbound(this.#scribe, direction, why));
  }

  #unanswered(alias: string, error: LockkeeperError | null): void {
    for (const [key, owner] of this.#asked) {
      if (owner !== alias) continue;
      this.#asked.delete(key);
      const id = key.startsWith('n') ? Number(key.slice(1)) : key.slice(1);
      this.#port.send(refusalOf(id, error ?? ENDED), key, undefined);
    }
  }
}
