import { access, realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { isLoopbackName } from '../../runtime/identity/url.ts';
import { CLIENTS, type ClientId } from '../../scanner/targets/places.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { nearest } from '../../schemas/slip.ts';
import { assertOwnPlace, placesOf, readClientFile } from '../clients/files.ts';
import { bringBack, keptBefore, replace } from '../clients/keep.ts';
import { locksFor } from '../clients/locks.ts';
import { type Planned, planOf } from '../clients/plan.ts';
import { rewritten } from '../clients/rewrite.ts';
import { type LockHere, shownUrl, standingOf } from '../clients/standing.ts';
import { dataOf, differenceOf, endOf, type Work } from '../clients/told.ts';
import { type Command, type Context, flag, option, type Result, text, type Values } from '../command.ts';
import { confirmed } from '../confirm.ts';
import { plain } from '../output.ts';
import { openProject, projectOf } from '../project.ts';

export const adopt: Command = {
  summary: 'have a client start its servers through the lock: writes the client’s own file',
  words: 'FILE|CLIENT [NAME …]',
  options: {
    gateway: option.text('have it call this gateway, in the place of lk run: http://127.0.0.1:7413'),
    yes: option.flag('write without asking'),
    'dry-run': option.flag('show what would be written, and write nothing'),
    undo: option.flag('bring back the file that was there before'),
  },
  examples: [
    'lk adopt .mcp.json',
    'lk adopt .vscode/mcp.json docs --dry-run',
    'lk adopt claude-code --yes --project ~/projects/app',
    'lk adopt codex --gateway https://gateway.acme.example',
    'lk adopt .mcp.json --undo',
  ],
  arity: [1, 200],
  async run(context, [word = '', ...names], values) {
    const files = await filesOf(context, word, values);
    if (flag(values, 'undo')) return undo(files, { names, values });
    const gateway = gatewayOf(text(values, 'gateway'));
    const project = projectOf(context, values);
    // Throws what is wrong with the lock: nothing is put under one that does not hold.
    await openProject(context, project, { ask: false, apart: true });
    const lockAt = locksFor(context);
    const lock = await lockAt(project.dir);
    const works: Work[] = [];
    for (const path of files) works.push(await workOf(path, { names, lock, lockAt, gateway }));
    assertNamed(works, names, word);
    return carryOut(context, works, values);
  },
};

/** The file that a word names, or those of a client that are there. Throws USAGE, NOT_FOUND or FILE_LINKED. */
async function filesOf(context: Context, word: string, values: Values): Promise<string[]> {
  const roots = [context.cwd, context.config.environment.HOME || homedir()];
  if (/\.(?:json|jsonc|toml)$/.test(word)) {
    const path = resolve(context.cwd, word);
    await readClientFile(path);
    await assertOwnPlace(path, roots);
    return [path];
  }
  if (!Object.hasOwn(CLIENTS, word)) {
    const meant = nearest(word, Object.keys(CLIENTS));
    throw new LockkeeperError('USAGE', {
      expected: `the file of a client, or one of ${Object.keys(CLIENTS).join(', ')}`,
      found: quote(word, 80),
      next: meant ? `Did you mean ${meant}? See: lk discover` : 'See which there are: lk discover',
    });
  }
  const places = await placesOf(context, [projectOf(context, values).dir], [word as ClientId]);
  const found: string[] = [];
  for (const { path } of places) {
    if (
      !(await access(path).then(
        () => true,
        () => false,
      ))
    )
      continue;
    await assertOwnPlace(path, [projectOf(context, values).dir, ...roots]);
    found.push(path);
  }
  if (found.length > 0) return found;
  throw new LockkeeperError('NOT_FOUND', {
    expected: `a file of ${CLIENTS[word as ClientId].title}`,
    found: `none of ${places.map(({ path }) => path).join(', ')}`,
    next: 'See which there are: lk discover',
  });
}

interface Wanted {
  readonly names: readonly string[];
  readonly lock: LockHere;
  readonly lockAt: (dir: string) => Promise<LockHere>;
  readonly gateway: string | null;
}

/** Credentials go there: in the clear to this machine alone. Throws USAGE. */
function gatewayOf(word: string | undefined): string | null {
  if (word === undefined) return null;
  const url = URL.canParse(word) ? new URL(word) : null;
  const isPrivate = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopbackName(url.hostname));
  if (url && isPrivate && url.href === `${url.origin}/`) return url.origin;
  throw new LockkeeperError('USAGE', {
    expected:
      '--gateway: an address such as https://gateway.acme.example, or http://127.0.0.1:7413 of this machine',
    found: url ? shownUrl(word) : quote(word, 80),
    next: 'lk gateway prints its address, which is the first line',
  });
}

async function workOf(path: string, { names, lock, lockAt, gateway }: Wanted): Promise<Work> {
  const file = await readClientFile(path);
  if (!Buffer.from(file.text).equals(file.bytes))
    throw new LockkeeperError('DOCUMENT_INVALID', {
      ...{ expected: `${path} to be UTF-8`, found: 'other bytes', next: 'Save it as UTF-8' },
    });
  const planned: Planned[] = [];
  for (const entry of file.entries) {
    // Servers of another project stay under its own lock.
    if (entry.project !== null && entry.project !== lock.dir) continue;
    if (names.length > 0 && !names.includes(entry.alias)) continue;
    const standing = await standingOf(entry, { dir: lock.dir, here: lock, lockAt });
    planned.push(planOf(entry, standing, { file: path, text: file.text, lock, gateway }));
  }
  const changes = planned.flatMap(({ change }) => (change === null ? [] : [change]));
  const after = changes.length === 0 ? null : rewritten(path, file.text, changes);
  return { path, file, planned, after };
}

/** Names that were given are all there and all in the lock, or nothing is written. Throws NOT_FOUND or NOT_LOCKED. */
function assertNamed(works: readonly Work[], names: readonly string[], word: string): void {
  const all = works.flatMap(({ planned }) => planned);
  const unknown = names.find((name) => !all.some((one) => one.name === name));
  if (unknown !== undefined)
    throw new LockkeeperError('NOT_FOUND', {
      expected: `a server of ${word}`,
      found: quote(unknown, 80),
      next: 'See which there are: lk discover',
    });
  const refused = names.length > 0 ? all.find(({ outcome }) => outcome === 'refused') : undefined;
  if (refused)
    throw new LockkeeperError('NOT_LOCKED', {
      expected: `${refused.name} to be a server of the lock`,
      found: refused.why ?? 'another',
      next: refused.next ?? 'See: lk discover',
    });
}

async function carryOut(context: Context, works: readonly Work[], values: Values): Promise<Result> {
  const writing = works.filter(({ after }) => after !== null);
  const dry = flag(values, 'dry-run');
  const asked = writing.length > 0 && !dry && !flag(values, 'yes');
  const shown = works.flatMap(differenceOf);
  if (asked) {
    context.say(shown.join('\n'));
    if (!(await confirmed(`Write ${writing.map(({ path }) => path).join(', ')}?`)))
      return { data: dataOf(works, new Map()), text: 'Nothing was written.', exit: 3 };
  }
  const copies = new Map<string, string>();
  if (!dry)
    for (const { path, file, after } of writing)
      if (after !== null) copies.set(path, await replace(path, file.bytes, Buffer.from(after)));
  const lines = [
    ...(asked ? [] : shown),
    ...works.flatMap((work) => endOf(work, copies.get(work.path))),
    ...(dry ? ['Nothing was written: --dry-run.'] : await onPath(context, copies.size > 0)),
  ];
  const all = works.flatMap(({ planned }) => planned);
  const isWhole = all.length > 0 && all.every(({ outcome }) => outcome !== 'refused');
  return { data: dataOf(works, copies), text: lines.join('\n'), exit: isWhole ? 0 : 3 };
}

/** A client finds `lk` where its own environment says; that it is there at all can be looked at. */
async function onPath({ config }: Context, isWritten: boolean): Promise<string[]> {
  const dirs = (config.environment.PATH ?? '').split(':').filter((dir) => dir !== '');
  for (const dir of dirs)
    if (
      await access(resolve(dir, 'lk')).then(
        () => true,
        () => false,
      )
    )
      return [];
  return isWritten
    ? [
        'There is no lk on the PATH here: a client has to find it to start anything (docs/operate.md, "The command line").',
      ]
    : [];
}

async function undo(
  files: readonly string[],
  { names, values }: { names: readonly string[]; values: Values },
): Promise<Result> {
  if (names.length > 0)
    throw new LockkeeperError('USAGE', {
      ...{ expected: 'a file as a whole behind --undo', found: names.join(' '), next: 'Leave the names out' },
    });
  const done: string[] = [];
  for (const path of files) {
    const kept = await keptBefore(path);
    if (flag(values, 'dry-run')) continue;
    const question = `Bring back ${path} from ${kept.copy}? Its servers no longer run through the lock then.`;
    if (!flag(values, 'yes') && !(await confirmed(question))) continue;
    await bringBack(path, kept);
    done.push(await realpath(path));
  }
  const data = { files: files.map((file) => ({ file, broughtBack: done.includes(file) })) };
  const text =
    done.length > 0 ? done.map((path) => `${path} is as it was before.`) : ['Nothing was written.'];
  const isWhole = done.length === files.length || flag(values, 'dry-run');
  return { data, text: text.map(plain).join('\n'), exit: isWhole ? 0 : 3 };
}
