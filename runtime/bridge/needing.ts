/** Tools that a stateless server serves to clients with tasks alone: it says so, and is called once more by one that has them. */
import type { Json, JsonObject } from '../../schemas/common.ts';
import { EXTENSION } from '../gate/task-terms.ts';
import { isObject, type Response } from '../wire/message.ts';
import type { Notes } from './notes.ts';
import type { BridgeOptions } from './ports.ts';
import type { Call } from './rounds.ts';

/** The protocol's number for a client that lacks a capability. */
const UNDECLARED = -32021;

export interface NeedingOptions {
  readonly notes: Notes;
  /** Sends it again, as a client that knows tasks does, where it is still waited for. */
  readonly again: (call: Call) => void;
}

export class Needing {
  readonly #b: BridgeOptions;
  readonly #o: NeedingOptions;
  /** As many as are locked, at the most. */
  readonly #tools = new Set<string>();

  constructor(bridge: BridgeOptions, options: NeedingOptions) {
    this.#b = bridge;
    this.#o = options;
  }

  /** Whether a call is known to be served so. */
  has(method: string, { name }: JsonObject): boolean {
    return method === 'tools/call' && typeof name === 'string' && this.#tools.has(name);
  }

  /** True: the call was turned away for that, and is made again. Its record is on the disk before. */
  heard(call: Call, message: Response): boolean {
    const { bytes, target, method, round, declares } = call;
    if (declares || !bytes || target === undefined || method !== 'tools/call' || !needsTasks(message))
      return false;
    this.#tools.add(target);
    const { exchange } = this.#b;
    const again = { call: call.call, method, target, round, state: null, asks: [EXTENSION] };
    exchange.record(this.#o.notes.round({ ...again, direction: 'to-server' }), () => {
      call.declares = true;
      this.#o.again(call);
    });
    return true;
  }
}

function needsTasks(message: Response): boolean {
  if (message.kind !== 'error' || message.error.code !== UNDECLARED) return false;
  const { data } = message.error;
  const needed: Json | undefined = isObject(data) ? data.requiredCapabilities : undefined;
  return isObject(needed) && isObject(needed.extensions) && Object.hasOwn(needed.extensions, EXTENSION);
}
