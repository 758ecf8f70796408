/** The shape of every verb, and the parsing they share. */
import { parseArgs } from 'node:util';
import type { Paint } from '../scanner/text.ts';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import { nearest } from '../schemas/slip.ts';
import type { Api } from './api.ts';
import type { CliConfig } from './config.ts';
import type { Home } from './home.ts';

export interface Context {
  readonly config: CliConfig;
  readonly home: Home;
  readonly cwd: string;
  readonly paint: Paint;
  /** A line for people, on stderr. */
  readonly say: (line: string) => void;
  /** One line that is overwritten on a terminal and absent in a pipe. */
  readonly progress: (line: string) => void;
  readonly now: () => Date;
  readonly json: boolean;
  /** The registry this person signed in to, or the one given by `--registry`. */
  readonly api: (registry?: string) => Promise<Api>;
}

export interface Values {
  readonly [name: string]: string | boolean | (string | boolean)[] | undefined;
}

/** What a verb leaves: `data` is what --json prints, `text` what a person reads. Exit 0 unless told otherwise. */
export interface Result {
  readonly data: unknown;
  readonly text: string;
  readonly exit?: number;
}

/** As `parseArgs` takes it, with its line of help. */
export interface Option {
  readonly type: 'string' | 'boolean';
  readonly multiple?: boolean;
  readonly short?: string;
  readonly help: string;
}

export type Options = Readonly<Record<string, Option>>;

/** How an option is declared; `text`, `list` and `flag` below read what was given. */
export const option = {
  text: (help: string): Option => ({ type: 'string', help }),
  list: (help: string): Option => ({ type: 'string', multiple: true, help }),
  flag: (help: string): Option => ({ type: 'boolean', help }),
};

export interface Command {
  readonly summary: string;
  /** Words after the verb, as the help shows them. */
  readonly words: string;
  /** In the order of the help. */
  readonly options: Options;
  readonly examples: readonly string[];
  /** How many words it takes. */
  readonly arity: readonly [number, number];
  run(context: Context, words: readonly string[], values: Values): Promise<Result | null>;
}

export type Load = () => Promise<Command>;

/** Verbs by name, under the titles of the help. */
export type Groups = Readonly<Record<string, Readonly<Record<string, Load>>>>;

/** Options of every verb. */
export const GLOBAL: Options = {
  json: option.flag('print exactly one JSON object on stdout, errors too'),
  as: option.text('act as this person, of those who signed in on this machine'),
  registry: option.text('use this registry instead of the one signed in to'),
  project: option.text('folder with lockkeeper.json (default: this folder)'),
  help: { ...option.flag('show this help'), short: 'h' },
};

/** Strict parsing: an unknown option, a missing value or a wrong number of words is USAGE with the verb's own line. */
export function parseWords(
  name: string,
  command: Command,
  argv: readonly string[],
): { words: string[]; values: Values } {
  let parsed: { positionals: string[]; values: Values };
  try {
    parsed = parseArgs({
      args: [...argv],
      options: { ...GLOBAL, ...command.options },
      allowPositionals: true,
      strict: true,
    });
  } catch (cause) {
    const found = (cause as Error).message.split('. ')[0] ?? 'other words';
    const [, unknown] = /^Unknown option '--([^']+)'/.exec(found) ?? [];
    const meant = unknown && nearest(unknown, Object.keys({ ...command.options, ...GLOBAL }));
    throw usage(name, command, { found, meant: meant ? `Did you mean --${meant}? ` : '', cause });
  }
  const [least, most] = command.arity;
  const { positionals: words, values } = parsed;
  if (values.help !== true && (words.length < least || words.length > most)) {
    throw usage(name, command, { found: words.length === 0 ? 'nothing after the verb' : words.join(' ') });
  }
  return { words, values };
}

function usage(
  name: string,
  command: Command,
  { found, meant = '', cause }: { readonly found: string; readonly meant?: string; readonly cause?: unknown },
): LockkeeperError {
  return new LockkeeperError('USAGE', {
    expected: `lk ${name} ${command.words}`.trim(),
    found,
    next: `${meant}See: lk ${name} --help`,
    cause,
  });
}

export function text(values: Values, name: string): string | undefined {
  const value = values[name];
  return typeof value === 'string' ? value : undefined;
}

export function list(values: Values, name: string): string[] {
  const value = values[name];
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

export function flag(values: Values, name: string): boolean {
  return values[name] === true;
}

/** The value of an option that a verb cannot do without. */
/** One of the known words: any other would be answered with nothing, as if nothing had happened. Throws USAGE. */
export function oneOf(values: Values, name: string, known: readonly string[]): string | undefined {
  const given = text(values, name);
  if (given === undefined || known.includes(given)) return given;
  const meant = nearest(given, known);
  throw new LockkeeperError('USAGE', {
    expected: `--${name}: one of ${known.join(', ')}`,
    found: quote(given),
    next: `${meant ? `Did you mean ${meant}? ` : ''}Correct it`,
  });
}

/** As the registry takes it, before it is asked. Throws USAGE. */
export function reasonOf(values: Values, why: string): string {
  const reason = required(values, 'reason', why);
  if (reason.length >= 3) return reason;
  throw new LockkeeperError('USAGE', {
    expected: `--reason: ${why}, in at least three characters`,
    found: quote(reason),
    next: 'Say it and run the command again',
  });
}

export function required(values: Values, name: string, why: string): string {
  const value = text(values, name);
  if (value !== undefined && value !== '') return value;
  throw new LockkeeperError('USAGE', {
    expected: `--${name}: ${why}`,
    found: 'no value',
    next: 'Add it and run the command again',
  });
}

/** An instant as people write it, in UTC: a day, or a day and a time down to what matters. Null where it was not given. */
export function instant(values: Values, name: string): string | null {
  const given = text(values, name);
  if (given === undefined) return null;
  const [, day, minute, rest = ':00'] =
    /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d(?:\.\d{1,3})?)?Z?)?$/.exec(given) ?? [];
  const at = new Date(`${day}T${minute ?? '00:00'}${rest}Z`);
  // The 31st of a month that has none would become another day.
  if (!Number.isNaN(at.getTime()) && at.toISOString().startsWith(`${day}`)) return at.toISOString();
  throw new LockkeeperError('USAGE', {
    expected: `--${name}: a day such as 2026-11-01, or an instant such as 2026-11-01T12:00Z`,
    found: quote(given),
    next: 'Correct it',
  });
}

/** A whole number, from 1 to the most. Throws USAGE. */
export function whole(
  values: Values,
  name: string,
  { verb, most, unsaid }: { readonly verb: string; readonly most: number; readonly unsaid: number },
): number {
  const wanted = text(values, name);
  if (wanted === undefined) return unsaid;
  const given = /^\d{1,5}$/.test(wanted) ? Number(wanted) : 0;
  if (given >= 1 && given <= most) return given;
  throw new LockkeeperError('USAGE', {
    expected: `--${name} as a number from 1 to ${most}`,
    found: quote(wanted, 40),
    next: `See: lk ${verb} --help`,
  });
}
