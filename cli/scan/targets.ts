/** From the words of `lk scan` to what there is to scan: sources, and the servers that files of clients name. */
import { readdir, stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { secretsIn } from '../../runtime/content/secrets.ts';
import { type Entry, entriesOf, MAX_CLIENT_FILE_BYTES } from '../../scanner/targets/client-file.ts';
import { understand } from '../../scanner/targets/command.ts';
import { type Asking, exactSource, isPinned } from '../../scanner/targets/exact.ts';
import { CLIENT_FILES } from '../../scanner/targets/places.ts';
import { asLockkeeperError, LockkeeperError, quote } from '../../schemas/errors.ts';
import type { ScanNote } from '../../schemas/scan.ts';
import { runWords } from '../clients/standing.ts';
import { readOr } from '../project.ts';

/** Something to scan; `source` is null where an error says why it cannot be. */
export interface Target {
  readonly target: string;
  readonly file: string | null;
  readonly line: number | null;
  readonly source: string | null;
  readonly args: readonly string[];
  /** Names of variables that it is given. */
  readonly env: readonly string[];
  readonly notes: readonly ScanNote[];
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** Throws SOURCE_INVALID for a word that is neither a source nor a file, and DOCUMENT_INVALID for a file of no client. */
export async function targetsOf(word: string, cwd: string, ask: Asking): Promise<Target[]> {
  if (/^(?:npm|pypi|oci|git|mcpb):|^https?:\/\//.test(word)) return [await sourceTarget(word, ask)];
  const path = resolve(cwd, word);
  const found = await stat(path).catch(() => null);
  if (found === null) throw notThere(word);
  const files = found.isDirectory() ? await clientFilesIn(path) : [path];
  const targets: Target[] = [];
  for (const file of files) {
    const text = (await readOr(file, () => notThere(word), MAX_CLIENT_FILE_BYTES)).toString('utf8');
    const shown = relative(cwd, file) || file;
    for (const entry of entriesOf(shown, text)) targets.push(await entryTarget(entry, { shown, text, ask }));
  }
  return targets;
}

function notThere(word: string): LockkeeperError {
  return new LockkeeperError('SOURCE_INVALID', {
    expected:
      'npm:NAME@VERSION, pypi:NAME@VERSION, oci:HOST/NAME:TAG, mcpb:FILE, git:ADDRESS#TAG, https://HOST/PATH, a folder, or the file of an MCP client',
    found: `${quote(word)}, which is no file here`,
    next: 'See: lk scan --help',
  });
}

async function clientFilesIn(dir: string): Promise<string[]> {
  const present = await Promise.all(
    CLIENT_FILES.map(async (name) => {
      const path = join(dir, name);
      const found = await stat(path).catch(() => null);
      return found?.isFile() ? path : null;
    }),
  );
  // Readable at all: an unreadable folder is an error, an empty one is no target.
  await readdir(dir);
  return present.filter((path) => path !== null);
}

/** The newest version of a source that names none; any other source as it is. Who is asked is found out when needed. */
export async function newestOf(word: string, asking: () => Promise<Asking>): Promise<string> {
  const [, kind, name] = /^(npm|pypi):((?:@[^/@\s]+\/)?[^/@\s]+)(?:@latest)?$/.exec(word) ?? [];
  if ((kind !== 'npm' && kind !== 'pypi') || name === undefined) return word;
  return exactSource({ kind, name, spec: '' }, await asking());
}

async function sourceTarget(word: string, ask: Asking): Promise<Target> {
  const none = { target: word, file: null, line: null, args: [], env: [], notes: [], error: null };
  return { ...none, source: await newestOf(word, async () => ask) };
}

interface From {
  /** The file, from where the command was run. */
  readonly shown: string;
  readonly text: string;
  readonly ask: Asking;
}

async function entryTarget(entry: Entry, { shown, text, ask }: From): Promise<Target> {
  const at = text.search(new RegExp(`["']?${entry.alias.replace(/[^\w]/g, '\\$&')}["']?\\s*[:\\]]`));
  const head = {
    target: entry.alias,
    file: shown,
    line: at < 0 ? null : text.slice(0, at).split('\n').length,
    env: Object.keys(entry.env),
  };
  const notes = secretNotes(entry);
  const cannot = (code: string, message: string): Target => ({
    ...{ ...head, source: null, args: [], notes, error: { code, message } },
  });
  if (entry.url !== null) {
    if (entry.url.startsWith('http://'))
      notes.push(note('03', 'medium', `${quote(entry.url, 120)} is not protected on its way`));
    return { ...head, source: entry.url, args: [], notes, error: null };
  }
  const run = runWords(entry);
  if (run) return cannot('SOURCE_INVALID', `lk run starts what the lock has as ${run.alias}: see lk ci`);
  const meant = understand(entry.command ?? '', entry.args);
  if (typeof meant === 'string') {
    notes.push(note('04', 'medium', `what is run is not a package of a registry: ${meant}`));
    return cannot('SOURCE_INVALID', meant);
  }
  try {
    const source = await exactSource(meant, ask);
    if (!isPinned(meant.spec, source)) notes.push(unpinned(meant.spec, source));
    return { ...head, source, args: meant.args, notes, error: null };
  } catch (thrown) {
    const { code, message } = asLockkeeperError(thrown);
    return cannot(code, message);
  }
}

function unpinned(spec: string, source: string): ScanNote {
  const wanted = spec === '' ? 'no version is named' : `${quote(spec, 60)} is not one version`;
  return note(
    '01',
    'medium',
    `${wanted}: what runs tomorrow may be another than ${source}, which was scanned`,
  );
}

function secretNotes(entry: Entry): ScanNote[] {
  const places = secretPlaces(entry);
  if (places.length === 0) return [];
  return [
    note(
      '02',
      'high',
      `a secret stands in the file itself: ${places.map((one) => quote(one, 60)).join(', ')}`,
    ),
  ];
}

/** Where a secret stands in the file itself: names of variables and headers, and words; never what it is. Pure. */
export function secretPlaces({ env, args, headers, url }: Entry): string[] {
  const named = [...Object.entries(env), ...Object.entries(headers)]
    .filter(([name, value]) => secretsIn(`${name}=${value}`).length > 0)
    .map(([name]) => name);
  const said = args.some((_, at) => isSecretWord(args, at)) || secretsIn(url ?? '').length > 0;
  return [...named, ...(said ? ['an argument or the address'] : [])];
}

/** Whether an argument is a secret by its own look, or by the option before it. Pure. */
export function isSecretWord(args: readonly string[], at: number): boolean {
  const [word = '', before = ''] = [args[at], args[at - 1]];
  if (secretsIn(word).length > 0) return true;
  return before.startsWith('-') && !before.includes('=') && secretsIn(`${before}=${word}`).length > 0;
}

function note(number: string, severity: ScanNote['severity'], message: string): ScanNote {
  return { id: `LK-CFG-${number}`, severity, message };
}
