/** The conversations behind one with all servers: opened when they are first needed, and again after they ended. */
import type { Readable } from 'node:stream';
import type { Json, JsonObject } from '../../../schemas/common.ts';
import { LockkeeperError } from '../../../schemas/errors.ts';
import type { ClientPort, SessionEnd } from '../../session/options.ts';
import { type Id, idKey, type Notification, type Request, type Response } from '../../wire/message.ts';
import { splice, textAt } from '../../wire/splice.ts';
import type { Door, Visit } from '../ports.ts';
import { ASK_MS, Part } from './part.ts';
import { shownAnswer, shownWord, withOwnMention } from './tasks.ts';

/** Requests of one server that a client has not answered. */
const MAX_ASKED_BACK = 256;

export interface PartsOptions {
  readonly doors: ReadonlyMap<string, Door>;
  readonly visit: Visit;
  readonly port: ClientPort;
  /** What a client of the session era greeted with; null in the stateless era. */
  readonly greeting: () => JsonObject | null;
  readonly answered: (key: string) => void;
  readonly ended: (alias: string, error: LockkeeperError | null) => void;
  readonly askMs?: number | undefined;
}

interface AskedBack {
  readonly alias: string;
  /** As the server itself counts. */
  readonly id: Id;
  /** What the server wants to hear progress of it by. */
  readonly token: Json | undefined;
}

const TOKEN = ['params', '_meta', 'progressToken'];

export class Parts {
  readonly #o: PartsOptions;
  readonly #open = new Map<string, Part>();
  /** By the id that the client knows a server’s request by: servers count each for themselves. */
  readonly #askedBack = new Map<string, AskedBack>();
  readonly #deaf = new Set<string>();
  #count = 0;

  constructor(options: PartsOptions) {
    this.#o = options;
  }

  get opened(): Part[] {
    return [...this.#open.values()];
  }

  /** Those that made tasks here, by alias. */
  get tasked(): [string, Part][] {
    return [...this.#open].filter(([, { madeTasks }]) => madeTasks);
  }

  get recorded(): Promise<unknown> {
    return Promise.all(this.opened.map(({ recorded }) => recorded));
  }

  /** Throws NOT_LOCKED for a server that this caller’s credential does not reach. */
  of(alias: string): Part {
    const there = this.#open.get(alias);
    if (there) return there;
    const { doors, visit, greeting } = this.#o;
    const door = doors.get(alias);
    if (!door) throw unreached(alias);
    const part: Part = new Part((port) => door.open(visit, port), {
      send: (bytes, about, source) => {
        if (about !== null) this.#o.answered(about);
        const named = about !== null && part.mayNameTask(about);
        const said = named ? shownAnswer(bytes, alias) : bytes;
        part.madeTasks ||= said !== bytes;
        this.#o.port.send(said, about, source);
      },
      aside: (bytes, about, source) => this.#aside(alias, { bytes, about, source }),
      assertGood: async () => this.#o.port.assertGood?.(),
      pause: () => this.#pause(alias),
      resume: () => this.#resume(alias),
      ended: (error) => this.#ended(alias, part, error),
      askMs: this.#o.askMs ?? ASK_MS,
    });
    this.#open.set(alias, part);
    const first = greeting();
    if (first) {
      void part.ask('initialize', first);
      part.tell('notifications/initialized');
    }
    return part;
  }

  get all(): Part[] {
    return [...this.#o.doors.keys()].map((alias) => this.of(alias));
  }

  /** A request for one server, as it is called there. */
  take(alias: string, message: Request): void {
    this.of(alias).take(message);
  }

  /** An answer of the client, to whoever asked, under the id that it has there. False: nobody did. */
  answer(message: Response): boolean {
    const key = message.id === null ? '' : idKey(message.id);
    const asked = this.#askedBack.get(key);
    if (!asked) return false;
    this.#askedBack.delete(key);
    const own = {
      ...message,
      id: asked.id,
      bytes: splice(message.bytes, [{ path: ['id'], value: asked.id }]),
    };
    // One that names a task of another server is refused by the gate of this one.
    this.#open.get(asked.alias)?.take(withOwnMention(own, asked.alias, false));
    return true;
  }

  /** Progress of what a server asked is for that server alone, under its own token. False: it is of nothing. */
  progress(message: Notification): boolean {
    const { progressToken: ours } = message.params;
    const asked = typeof ours === 'number' ? this.#askedBack.get(idKey(ours)) : undefined;
    const part = asked && this.#open.get(asked.alias);
    if (!part || asked.token === undefined) return false;
    const bytes = splice(message.bytes, [{ path: ['params', 'progressToken'], value: asked.token }]);
    part.take({ ...message, params: { ...message.params, progressToken: asked.token }, bytes });
    return true;
  }

  async end(reason: SessionEnd['reason']): Promise<void> {
    const parts = this.opened;
    for (const part of parts) part.end(reason);
    await Promise.all(parts.map(({ over }) => over));
  }

  #aside(
    alias: string,
    { bytes, about, source }: { bytes: Buffer; about: string | null; source: Readable | undefined },
  ): void {
    const { port } = this.#o;
    const id = textAt(bytes, ['id']);
    if (id === null) {
      const notice = this.#named(alias, bytes);
      if (notice) port.aside(shownWord(notice, alias), about, source);
      return;
    }
    this.#makeRoom(alias);
    const ours = ++this.#count;
    const token = textAt(bytes, TOKEN);
    this.#askedBack.set(idKey(ours), {
      alias,
      id: JSON.parse(id.toString()) as Id,
      token: token === null ? undefined : (JSON.parse(token.toString()) as Json),
    });
    const changes = [['id'], TOKEN].map((path) => ({ path, value: ours }));
    port.aside(shownWord(splice(bytes, changes), alias), about, source);
  }

  /** Whoever asks too much loses its own oldest question, and nobody else's. */
  #makeRoom(alias: string): void {
    if (this.#askedBack.size < MAX_ASKED_BACK) return;
    const own = [...this.#askedBack].filter(([, asked]) => asked.alias === alias);
    const [oldest] = own;
    if (own.length >= MAX_ASKED_BACK && oldest) this.#askedBack.delete(oldest[0]);
  }

  /** A question that its server takes back has another id with the client; null: the client has none such. */
  #named(alias: string, bytes: Buffer): Buffer | null {
    if (textAt(bytes, ['method'])?.toString() !== '"notifications/cancelled"') return bytes;
    const text = textAt(bytes, ['params', 'requestId'])?.toString() ?? 'null';
    const id = JSON.parse(text) as Json;
    for (const [key, asked] of this.#askedBack) {
      if (asked.alias !== alias || asked.id !== id) continue;
      this.#askedBack.delete(key);
      return splice(bytes, [{ path: ['params', 'requestId'], value: Number(key.slice(1)) }]);
    }
    return null;
  }

  #ended(alias: string, part: Part, error: LockkeeperError | null): void {
    if (this.#open.get(alias) === part) this.#open.delete(alias);
    this.#resume(alias);
    for (const [key, asked] of this.#askedBack) if (asked.alias === alias) this.#askedBack.delete(key);
    this.#o.ended(alias, error);
  }

  #pause(alias: string): void {
    this.#deaf.add(alias);
    this.#o.port.pause();
  }

  #resume(alias: string): void {
    if (this.#deaf.delete(alias) && this.#deaf.size === 0) this.#o.port.resume();
  }
}

function unreached(alias: string): LockkeeperError {
  return new LockkeeperError('NOT_LOCKED', {
    expected: 'a server that this credential reaches',
    found: alias,
    next: 'Ask whoever keeps the gateway for it',
  });
}
