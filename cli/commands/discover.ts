import { stat } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { counted } from '../../scanner/text.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { ledTo, look, type Problem, placesOf } from '../clients/files.ts';
import { locksFor } from '../clients/locks.ts';
import { type LockHere, STATES, type Standing, standingOf } from '../clients/standing.ts';
import { type Command, type Context, flag, option, type Result } from '../command.ts';
import { plain, table } from '../output.ts';
import { projectOf } from '../project.ts';
import { secretPlaces } from '../scan/targets.ts';

/** One server that a client of this machine would start, or connect to. */
interface Found extends Standing {
  readonly clients: readonly string[];
  readonly file: string;
  readonly name: string;
  /** The folder that it is for, where its file has those of several. */
  readonly project: string | null;
  /** Where secrets stand in the file, by name. */
  readonly secrets: readonly string[];
}

export const discover: Command = {
  summary: 'tell which MCP servers the clients here start, and which of them are locked',
  words: '[FOLDER …]',
  options: {
    check: option.flag(
      'end with 3 where one is not run through a lock, with 4 where a file could not be read',
    ),
  },
  examples: ['lk discover', 'lk discover ~/projects/app ~/projects/site', 'lk discover --check --json'],
  arity: [0, 100],
  async run(context, words, values) {
    const lockAt = locksFor(context);
    const here = await lockAt(projectOf(context, values).dir);
    const dirs = (words.length > 0 ? words : ['.']).map((word) => resolve(context.cwd, word));
    for (const dir of dirs) await assertFolder(dir);
    const [found, problems, notes]: [Found[], Problem[], string[]] = [[], [], []];
    for (const place of await placesOf(context, dirs)) {
      const file = await look(place.path);
      if (file === null) continue;
      const link = await ledTo(place.path);
      if (link !== null) notes.push(`${place.path} is a link to ${link}`);
      if ('code' in file) problems.push(file);
      else
        for (const entry of file.entries) {
          const dir = entry.project ?? place.dir;
          const standing = await standingOf(entry, { dir, here, lockAt });
          const { path, clients } = place;
          const head = { clients, file: path, name: entry.alias, project: entry.project };
          found.push({ ...head, ...standing, secrets: secretPlaces(entry) });
        }
    }
    const beside = found.filter(({ state }) => state !== 'locked');
    const conclusion = beside.length > 0 ? 'beside' : problems.length > 0 ? 'unknown' : 'locked';
    const data = { conclusion, lock: lockOf(here), servers: found, problems, notes };
    const text = textOf({ found, problems, notes, here, context });
    return { data, text, exit: flag(values, 'check') ? EXIT[conclusion] : 0 };
  },
};

/** What is not there would be told as a place without servers. Throws USAGE. */
async function assertFolder(dir: string): Promise<void> {
  if ((await stat(dir).catch(() => null))?.isDirectory()) return;
  throw new LockkeeperError('USAGE', {
    expected: 'folders of this machine that can be looked into',
    found: quote(dir, 200),
    next: 'Correct the path; one file is looked at with lk scan FILE or lk adopt FILE --dry-run',
  });
}

const EXIT = { locked: 0, beside: 3, unknown: 4 } as const;

function lockOf({ dir, servers, error }: LockHere): object {
  return { project: dir, servers: [...servers.keys()], error };
}

interface Told {
  readonly found: readonly Found[];
  readonly problems: readonly Problem[];
  readonly notes: readonly string[];
  readonly here: LockHere;
  readonly context: Context;
}

function textOf({ found, problems, notes, here, context }: Told): Result['text'] {
  const { paint, cwd, config } = context;
  const short = (path: string): string => shorter(path, cwd, config.environment.HOME);
  const rows = found.map((one) => [
    STATES[one.state],
    one.name,
    one.runs,
    one.clients.join(', '),
    one.project === null ? short(one.file) : `${short(one.file)} for ${short(one.project)}`,
  ]);
  const painted = (cell: string, column: number): string =>
    column > 0
      ? cell
      : /^locked *$/.test(cell)
        ? paint.green(cell)
        : cell.startsWith('STATE')
          ? cell
          : paint.yellow(cell);
  const said = found.flatMap(({ name, why, secrets }) => [
    ...(why === null ? [] : [`${name}: ${why}`]),
    ...(secrets.length === 0 ? [] : [`${name}: a secret stands in the file itself: ${secrets.join(', ')}`]),
  ]);
  const locked = found.filter(({ state }) => state === 'locked').length;
  const sentence =
    found.length === 0
      ? 'No client of this machine has a server, as far as was looked.'
      : `${locked} of ${counted(found.length, 'server')} ${locked === 1 ? 'is' : 'are'} run through a lock.`;
  const lines = [
    ...(rows.length > 0 ? [table(['STATE', 'NAME', 'RUNS', 'CLIENT', 'FILE'], rows, painted), ''] : []),
    ...[...said, ...notes].map(plain),
    ...problems.map(({ message, code }) => paint.red(plain(`${message} [${code}]`))),
    ...(here.error && here.error.code !== 'INTENT_MISSING'
      ? [plain(`${here.error.message} [${here.error.code}]`)]
      : []),
    sentence,
    ...nexts(found, short),
  ];
  return lines.join('\n');
}

/** What to run next, one line for each file. */
function nexts(found: readonly Found[], short: (path: string) => string): string[] {
  const files = (state: (one: Found) => boolean): string[] => [
    ...new Set(found.filter(state).map(({ file }) => short(file))),
  ];
  const adopt = files(({ state, alias }) => state === 'bypassed' && alias !== null);
  const add = files(({ state }) => ['not-reviewed', 'unpinned', 'remote'].includes(state));
  return [
    ...adopt.map((file) => plain(`Next: lk adopt ${file}`)),
    ...add.map((file) =>
      plain(`Next: lk add ${file} (asks for what is approved, and says how to ask for the rest)`),
    ),
  ];
}

/** As people would type it. */
function shorter(path: string, cwd: string, home: string | undefined): string {
  const way = relative(cwd, path);
  if (!way.startsWith('..')) return way === '' ? '.' : way;
  return home && path.startsWith(`${home}/`) ? `~/${relative(home, path)}` : path;
}
