/** What of a server's answer a client may see: lists without what is not in the lock, a greeting only as compared. */
import type { JsonObject } from '../../schemas/common.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { canonical } from '../../schemas/json.ts';
import type { Section } from '../../schemas/surface.ts';
import type { MethodRule } from '../gate/methods.ts';
import { type Drift, filterPage, type LiveSurface } from '../gate/surface.ts';
import { encode, parseMessage, type Response, refusalOf } from '../wire/message.ts';

export interface Known {
  readonly live: LiveSurface;
  /** The greeting that was compared with the lock. */
  readonly hello: JsonObject;
}

export interface Answer {
  readonly bytes: Buffer;
  readonly drifts: readonly Drift[];
}

const UNREADABLE = new LockkeeperError('SURFACE_UNREADABLE', {
  expected: 'a list that can be compared with the lock',
  found: 'something else',
  next: 'The server breaks the protocol; use another release',
});
const REGREETED = new LockkeeperError('SURFACE_DRIFT', {
  expected: 'the server to describe itself as it did when it was compared with the lock',
  found: 'another description',
  next: 'Stop using the server and tell its reviewers: it changed while it ran',
});

/** The very bytes where nothing is to be left out. */
export function answerFor(message: Response, rule: MethodRule, known: Known): Answer {
  const whole = { bytes: message.bytes, drifts: [] };
  if (message.kind === 'error' || message.id === null) return whole;
  if (rule.greets) {
    const same = inOneWay(message) && canonical(message.result) === canonical(known.hello);
    return same ? whole : { bytes: refusalOf(message.id, REGREETED), drifts: [] };
  }
  return rule.lists === undefined ? whole : listed(rule.lists, message, known.live);
}

type Result = Extract<Response, { kind: 'response' }>;

function listed(section: Section, message: Result, live: LiveSurface): Answer {
  const page = inOneWay(message) ? filterPage(section, message.result, live) : null;
  if (page === null) return { bytes: refusalOf(message.id, UNREADABLE), drifts: [] };
  const bytes =
    page.drifts.length === 0
      ? message.bytes
      : encode({ jsonrpc: '2.0', id: message.id, result: page.result });
  return { bytes, drifts: page.drifts };
}

/** Answers are read leniently; what is compared by digest has to be JSON that is read in one way. */
function inOneWay({ bytes }: Result): boolean {
  try {
    parseMessage(bytes);
    return true;
  } catch {
    return false;
  }
}
