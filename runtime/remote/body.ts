/** Bodies of answers, with their limits: one JSON text, or a stream of events. Each message becomes one line. */
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { Gathered } from '../wire/gathered.ts';
import { SseReader } from '../wire/sse.ts';
import { broken, type Reply } from './head.ts';
import { type Limits, type Outlet, TOO_MANY_ASIDES } from './outlet.ts';

export interface Body {
  readonly kind: 'json' | 'events' | 'none';
  /** Bytes that wait for what makes them whole. */
  readonly held: number;
  data(chunk: Buffer): void;
  end(): void;
  /** Throws SERVER_SILENT where something that began is not whole in time. */
  check(now: number): void;
}

export interface BodyHandlers {
  /** One message, as one line without its end. */
  readonly line: (bytes: Buffer) => void;
  readonly id?: (id: string) => void;
  readonly retry?: (ms: number) => void;
  /** An event of another name than `message`. */
  readonly other?: (event: string, data: Buffer) => void;
}

/** By the type that an answer says it has. Throws REMOTE_INVALID for any other. */
export function bodyOf(
  { status, header }: Reply,
  on: BodyHandlers,
  { limits, asides }: Pick<Outlet, 'limits' | 'asides'>,
): Body {
  const type = (header('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  if (type === 'application/json') return jsonBody(on, limits);
  if (type === 'text/event-stream') return eventsBody(on, { limits, asides });
  const length = header('content-length');
  if (status === 202 || status === 204 || length === '0' || status >= 400) return noBody(limits);
  throw broken(
    'an answer of type application/json or text/event-stream',
    type === '' ? 'none' : quote(type, 80),
    'Check that the address is that of an MCP server; one of the old transport is published with --transport http-sse',
  );
}

/** What comes is not looked at. Its end is waited for so that the connection can be used again; not for long. */
export function noBody({ wholeMs }: Pick<Limits, 'wholeMs'>): Body {
  const since = performance.now();
  let left = 65_536;
  return {
    kind: 'none',
    held: 0,
    data: (chunk) => {
      left -= chunk.length;
      if (left < 0) throw broken('no body worth mentioning', 'more than 64 KiB');
    },
    end: () => undefined,
    check: (now) => {
      if (now - since > wholeMs) throw late('an answer', wholeMs);
    },
  };
}

function late(what: string, ms: number): LockkeeperError {
  return new LockkeeperError('SERVER_SILENT', {
    expected: `${what} that is whole within ${ms / 1000} s`,
    found: 'a part of it',
    next: 'The server is too slow or stalls; tell its operator',
  });
}

function jsonBody({ line }: BodyHandlers, { bytes, wholeMs }: Limits): Body {
  const since = performance.now();
  const held = new Gathered();
  return {
    kind: 'json',
    get held() {
      return held.bytes;
    },
    data: (chunk) => {
      held.push(chunk);
      if (held.bytes > bytes) {
        held.clear();
        throw new LockkeeperError('FRAME_TOO_LARGE', {
          expected: `an answer of at most ${bytes} bytes`,
          found: 'a longer one',
          next: 'Ask for less at once',
        });
      }
    },
    end: () => {
      if (held.bytes > 0) line(oneLine(held.take()));
    },
    check: (now) => {
      if (now - since > wholeMs) throw late('an answer', wholeMs);
    },
  };
}

function eventsBody(
  { line, id, retry, other }: BodyHandlers,
  { limits: { bytes, wholeMs }, asides }: Pick<Outlet, 'limits' | 'asides'>,
): Body {
  let since: number | null = null;
  let last: string | null = null;
  const reader = new SseReader(bytes, {
    event: (event) => {
      since = null;
      if (event.id !== null && event.id !== last) {
        last = event.id;
        id?.(event.id);
      }
      // An event without data names an id to come back to, and says nothing.
      if (event.data.length === 0) return;
      if (event.event === 'message') line(oneLine(event.data));
      else other?.(event.event, event.data);
    },
    ...(retry ? { retry } : {}),
    aside: () => {
      if (!asides.take()) throw TOO_MANY_ASIDES;
    },
  });
  return {
    kind: 'events',
    get held() {
      return reader.held;
    },
    data: (chunk) => {
      reader.push(chunk);
      if (!reader.partial) since = null;
      else since ??= performance.now();
    },
    end: () => undefined,
    check: (now) => {
      if (since !== null && now - since > wholeMs) throw late('an event', wholeMs);
    },
  };
}

const LF = 10;
const CR = 13;
const QUOTE = 34;
const BACKSLASH = 92;

/**
 * JSON that was written over several lines as one, of the same length: ends of lines between its words become spaces. Inside
 * of a string they are no JSON; there they stay, and the line is refused as one.
 */
function oneLine(bytes: Buffer): Buffer {
  if (!bytes.includes(LF) && !bytes.includes(CR)) return bytes;
  const line = Buffer.from(bytes);
  let inString = false;
  for (let at = 0; at < line.length; at++) {
    const byte = line[at];
    if (inString && byte === BACKSLASH) at++;
    else if (byte === QUOTE) inString = !inString;
    else if (byte === LF || byte === CR) line[at] = inString ? CR : 32;
  }
  return line;
}
