/** What a server with a session asks while a call of a stateless client is open, judged and recorded as in a session. */
import { randomBytes } from 'node:crypto';
import type { Json, JsonObject } from '../../schemas/common.ts';
import type { LockkeeperError } from '../../schemas/errors.ts';
import { judgeToClient, type Pending, type Verdict } from '../gate/gate.ts';
import type { Exchange } from '../session/exchange.ts';
import * as records from '../session/records.ts';
import { encode, type Id, idKey, type Request } from '../wire/message.ts';
import type { OpenCall } from './open-call.ts';

type Question = Pending & { readonly of: OpenCall };

export class Questions {
  readonly #x: Exchange;
  readonly #open = new Map<string, Question>();

  constructor(exchange: Exchange) {
    this.#x = exchange;
  }

  has(id: Id): boolean {
    return this.#open.has(idKey(id));
  }

  /** By what the client of this call declared with its request. */
  judge(message: Request, { capabilities }: OpenCall): Verdict {
    return judgeToClient(message, { era: 'session', clientCapabilities: capabilities }, this.#open);
  }

  /** The question as it may be told, or why it may not. */
  put(message: Request, of: OpenCall): Request | LockkeeperError {
    const { scribe, content, state } = this.#x;
    const verdict = this.judge(message, of);
    if (!verdict.allow) return verdict.error;
    const { method, id } = message;
    const call = `${of.current?.call ?? of.first}/s-${randomBytes(8).toString('hex')}`;
    const judged = content.said(message);
    if (judged.found.length > 0)
      this.#x.note(records.flagged(scribe, judged, { direction: 'to-client', method, call }));
    if (judged.error) return judged.error;
    if (verdict.rule.capability !== 'roots') state?.policy?.heard(call, null);
    const since = performance.now();
    this.#open.set(idKey(id), { id, method, rule: verdict.rule, target: undefined, call, since, of });
    this.#x.note(records.forwarded(scribe, judged.message, { direction: 'to-client', call }));
    return judged.message;
  }

  /** The client's answer, which was judged with the request that it came in, as the server is told it. */
  answered({ id }: Request, result: JsonObject): Buffer {
    const { scribe } = this.#x;
    const message = { kind: 'response', id, result, bytes: encode({ jsonrpc: '2.0', id, result }) } as const;
    const asked = this.#open.get(idKey(id));
    if (!asked) return message.bytes;
    this.#open.delete(idKey(id));
    this.#x.note(records.finished(scribe, asked, records.endOf(message)));
    return message.bytes;
  }

  /** Taken back by the server: whose call it was of. */
  withdrawn(id: Json | undefined): OpenCall | undefined {
    const key = typeof id === 'string' || typeof id === 'number' ? idKey(id) : '';
    const asked = this.#open.get(key);
    if (!asked) return undefined;
    this.#open.delete(key);
    this.#x.lost(asked, 'taken back by the server');
    return asked.of;
  }

  /** Those of one call are not waited for any more. */
  drop(of: OpenCall, why: string): void {
    for (const [key, asked] of this.#open) {
      if (asked.of !== of) continue;
      this.#open.delete(key);
      this.#x.lost(asked, why);
    }
  }

  over(): void {
    for (const asked of this.#open.values()) this.#x.lost(asked, 'the server is gone');
    this.#open.clear();
  }
}
