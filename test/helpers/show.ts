/** What the commands that try something share: their words, their help, how far they are. stdout is data, stderr is for people. */
import { nearest } from '../../schemas/slip.ts';

export interface Streams {
  readonly out: (text: string) => void;
  /** For people, while it runs. */
  readonly say: (line: string) => void;
}

export interface Show {
  /** As in npm run NAME. */
  readonly name: string;
  /** What a word chooses, in the plural. */
  readonly of: string;
  readonly names: readonly string[];
  /** Beside --json, each with what it does. */
  readonly flags?: Readonly<Record<string, string>>;
}

export interface Asked {
  readonly json: boolean;
  readonly flags: ReadonlySet<string>;
  readonly words: readonly string[];
  /** Whether a name begins with one of the words, whatever its case; all do where there is none. */
  isWanted(name: string): boolean;
}

/** What is asked for, or the exit code to end with at once: 0 after the help, 2 for a word that chooses nothing. */
export function asked(words: readonly string[], show: Show, { out, say }: Streams): Asked | number {
  if (words.includes('--help') || words.includes('-h')) {
    out(helpOf(show));
    return 0;
  }
  const known = ['--json', ...Object.keys(show.flags ?? {})];
  const flags = new Set(words.filter((word) => word.startsWith('-')));
  const chosen = words.filter((word) => !word.startsWith('-'));
  const begins = (name: string, word: string): boolean => name.toLowerCase().startsWith(word.toLowerCase());
  const lost =
    [...flags].find((flag) => !known.includes(flag)) ??
    chosen.find((word) => !show.names.some((name) => begins(name, word)));
  if (lost !== undefined) {
    const meant = nearest(lost, lost.startsWith('-') ? known : show.names);
    const hint = meant === undefined ? '' : ` Did you mean ${meant}?`;
    say(
      `${show.name}: nothing of ${show.of} begins with ${JSON.stringify(lost)}.${hint} All: npm run ${show.name} -- --help`,
    );
    return 2;
  }
  const isWanted = (name: string): boolean =>
    chosen.length === 0 || chosen.some((word) => begins(name, word));
  return { json: flags.has('--json'), flags, words: chosen, isWanted };
}

const COLUMNS = 100;

function helpOf({ name, of, names, flags = {} }: Show): string {
  const options = {
    WORD: `only ${of} that begin with one of these words`,
    '--json': 'one object in the place of the table',
    ...flags,
  };
  const width = Math.max(...Object.keys(options).map((option) => option.length));
  const lines = [''];
  for (const each of new Set(names)) {
    const last = lines.at(-1) ?? '';
    const longer = last === '' ? each : `${last}, ${each}`;
    if (longer.length > COLUMNS) lines.push(each);
    else lines[lines.length - 1] = longer;
  }
  return [
    `npm run ${name} -- ${Object.keys(options)
      .slice(1)
      .map((flag) => `[${flag}]`)
      .join(' ')} [WORD…]`,
    '',
    ...Object.entries(options).map(([option, what]) => `  ${option.padEnd(width)}  ${what}`),
    '',
    `${of[0]?.toUpperCase()}${of.slice(1)}:`,
    `  ${lines.join(',\n  ')}`,
    '',
  ].join('\n');
}

/** Tells before each of so many things which one it is; with `every`, only each so manieth and the last. */
export function counting(say: (line: string) => void, total: number, every = 1): (line: string) => void {
  let at = 0;
  return (line) => {
    at++;
    if (at % every === 0 || at === total) say(`${at} of ${total}: ${line}`);
  };
}
