/** The one error class. A refusal is a sentence: what was expected, what was found, what to do next; its code is in `codes.ts`. */
import { CODES, type Code } from './codes.ts';
import { asEscape, UNSEEN } from './unseen.ts';

export { CODES, type Code } from './codes.ts';

export interface Detail {
  readonly expected: string;
  readonly found: string;
  /** The next command or action, as a sentence without its final stop. */
  readonly next: string;
  /** More of what was found, in the words of a server: for who keeps it, never for a client’s model to read. */
  readonly words?: string | undefined;
  /** When to come back, where that is known. */
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

/** A refusal or failure. `message` is the whole sentence; `code` is stable and safe to branch on. */
export class LockkeeperError extends Error {
  readonly code: Code;
  readonly expected: string;
  readonly found: string;
  readonly next: string;
  readonly retryAfterMs: number | undefined;
  /** The sentence as a client is told it: without words of a server that nobody judged. */
  readonly told: string;

  constructor(code: Code, detail: Detail) {
    const sentence = (found: string): string =>
      `${CODES[code].title}: expected ${detail.expected}; found ${found.replace(/\.$/, '')}. ${detail.next}.`;
    const { found, words, cause } = detail;
    super(sentence(words ? `${found}, ${words}` : found), { cause });
    this.told = sentence(found);
    this.name = 'LockkeeperError';
    this.code = code;
    this.expected = detail.expected;
    this.found = detail.found;
    this.next = detail.next;
    this.retryAfterMs = detail.retryAfterMs;
  }

  get status(): number {
    return CODES[this.code].status;
  }

  get exit(): number {
    return CODES[this.code].exit;
  }
}

/** How one part of the product refuses: always with this code, always with this to do next. */
export function refusing(code: Code, next: string) {
  return (expected: string, found: string, cause?: unknown): LockkeeperError =>
    new LockkeeperError(code, { expected, found, next, cause });
}

interface NodeError {
  readonly code?: string;
  readonly syscall?: string;
  readonly path?: string;
  readonly address?: string;
  readonly port?: number;
}

const HIDDEN = new RegExp(`[${UNSEEN}]`, 'gu');

/** Shows outside text inside a sentence: at most `limit` characters, what nobody sees escaped. */
export function quote(text: string, limit = 120): string {
  const shown = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return JSON.stringify(shown).replace(HIDDEN, asEscape);
}

/** What a person can do about an operating system's refusals; others are our own failures. */
const ADVICE: Readonly<Record<string, string>> = {
  EACCES: 'Give this user access to it, or choose another place',
  EPERM: 'Give this user access to it, or choose another place',
  EROFS: 'Choose a place that can be written to',
  ENOSPC: 'Free some space on that disk',
  EDQUOT: 'Free some space in this user’s quota',
  EADDRINUSE:
    'Stop what listens there (lk ps knows gateways), or choose another port: lk serve --port, lk gateway --listen',
  EADDRNOTAVAIL: 'Choose an address of this machine',
  ENOTDIR: 'A file stands where a folder is needed: choose another place',
  ENOENT: 'Correct the path, or make the folder that it names',
  EISDIR: 'A folder stands where a file is needed: choose another place',
  EMFILE: 'Raise the limit of open files (ulimit -n)',
  ELOOP: 'Links lead in a circle: choose another place',
};

/** Any thrown value as a LockkeeperError: SYSTEM for what the machine refuses, else INTERNAL with its message kept. */
export function asLockkeeperError(error: unknown): LockkeeperError {
  if (error instanceof LockkeeperError) return error;
  const { code = '', syscall, path, address, port } = (error ?? {}) as NodeError;
  const next = Object.hasOwn(ADVICE, code) ? ADVICE[code] : undefined;
  if (next !== undefined) {
    const place = path ?? [address, port].filter((part) => part !== undefined).join(':');
    const expected = `${syscall ?? 'it'} ${place === '' ? '' : `${quote(place, 200)} `}to work`;
    return new LockkeeperError('SYSTEM', { expected, found: code, next, cause: error });
  }
  const found = error instanceof Error ? error.message : String(error);
  return new LockkeeperError('INTERNAL', {
    expected: 'no failure',
    found: quote(found, 400),
    next: 'Report this with the output of: lk doctor --json',
    cause: error,
  });
}
