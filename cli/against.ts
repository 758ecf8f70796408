/** What a lock changes against one from before, for whoever reviews the change of it. */
import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { surfaceOf } from '../runtime/prepare.ts';
import { openBlobs } from '../runtime/store/blobs.ts';
import { renderDiff } from '../scanner/render/diff.ts';
import type { Paint } from '../scanner/text.ts';
import { diffReach } from '../schemas/diff/reach.ts';
import { diffSurfaces, stepOf } from '../schemas/diff/surfaces.ts';
import { type DiffView, diffArtifacts } from '../schemas/diff/view.ts';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import { LOCK_FILE, type LockEntry, MAX_LOCK_BYTES, parseLockFile } from '../schemas/lock.ts';
import type { Surface } from '../schemas/surface.ts';
import { fetchFrom } from './across.ts';
import type { Api } from './api.ts';
import type { Context } from './command.ts';
import { plain } from './output.ts';
import { type OpenedProject, type Project, readOr } from './project.ts';

/** One server of either lock that is not the same in both. */
export interface Difference {
  readonly alias: string;
  readonly server: string;
  /** Version that was locked before; null: it is new. */
  readonly before: string | null;
  /** Null: it is gone. */
  readonly after: string | null;
  /** Null where one side is missing. */
  readonly view: Shown | null;
}
type Shown = Omit<DiffView, 'before' | 'after'>;

type Entries = ReadonlyMap<string, LockEntry>;
type TextsOf = (entry: LockEntry) => Promise<Surface>;

/** In order of their aliases. Throws where texts of one of them are nowhere: what was not compared is not the same. */
export async function differences(before: Entries, after: Entries, textsOf: TextsOf): Promise<Difference[]> {
  const found: Difference[] = [];
  for (const alias of [...new Set([...before.keys(), ...after.keys()])].sort()) {
    const [was, is] = [before.get(alias), after.get(alias)];
    const view = was && is ? await viewOf(was, is, textsOf) : null;
    if (was && is && view === null) continue;
    const server = is?.server ?? was?.server ?? '';
    found.push({ alias, server, before: was?.version ?? null, after: is?.version ?? null, view });
  }
  return found;
}

/** Null where nothing that was approved differs. */
async function viewOf(was: LockEntry, is: LockEntry, textsOf: TextsOf): Promise<Shown | null> {
  const same = was.server === is.server && was.version === is.version;
  const reach = diffReach(was, is);
  const artifacts = diffArtifacts(was.closure.artifacts, is.closure.artifacts);
  if (same && was.surface.digest === is.surface.digest && was.closure.digest === is.closure.digest)
    return reach.length === 0 ? null : { changes: [], reach, artifacts };
  const changes = diffSurfaces(await textsOf(was), await textsOf(is));
  return { changes, step: stepOf(changes), reach, artifacts };
}

/**
 * Against the lock in a file, or as it was at a revision of the project's repository. It is not verified: nothing is run
 * by it, and its texts are those of the digests that it names.
 */
export async function differencesFrom(
  context: Context,
  opened: OpenedProject,
  { spec, api, project }: { readonly spec: string; readonly api: Api | null; readonly project: Project },
): Promise<Difference[]> {
  const { lock } = parseLockFile(await lockAt(context, project, spec));
  const blobs = await openBlobs(join(context.home.storeDir, 'blobs'));
  const after = new Map([...opened.verified.entries].map(([alias, { entry }]) => [alias, entry]));
  return differences(new Map(Object.entries(lock.servers)), after, (entry) =>
    surfaceOf({ verified: { entry }, blobs, fetch: fetchFrom(api) }),
  );
}

async function lockAt({ cwd }: Context, project: Project, spec: string): Promise<Buffer> {
  const missing = (): LockkeeperError =>
    new LockkeeperError('LOCK_MISSING', {
      expected: `a file, or a revision with ${LOCK_FILE} in it`,
      found: `neither of them at ${quote(spec, 200)}`,
      next: 'Such as: lk ci --against origin/main; a shallow clone has to fetch it first',
    });
  const path = resolve(cwd, spec);
  const there = await stat(path).catch(() => null);
  // A folder may have the name of a branch.
  if (there && !there.isDirectory()) return readOr(path, missing);
  if (!/^[\w][\w./@^~-]*$/.test(spec)) throw missing();
  const options = { encoding: 'buffer', maxBuffer: MAX_LOCK_BYTES, timeout: 30_000 } as const;
  const words = ['-C', project.dir, 'show', '--end-of-options', `${spec}:./${LOCK_FILE}`];
  const { stdout } = await promisify(execFile)('git', words, options).catch(() => {
    throw missing();
  });
  return stdout;
}

const MOST_LINES = 80;

/** The gravest stands first: what goes beyond a screen or two is counted, with the command that shows it. */
function upToMost(text: string, command: string): string {
  const lines = text.split('\n');
  if (lines.length <= MOST_LINES) return text;
  const cut = lines.findLastIndex((row, at) => at <= MOST_LINES && !/^(?:\s|$)/.test(row));
  return [...lines.slice(0, cut), '', `And ${lines.length - cut} more lines: ${plain(command)}`].join('\n');
}

/** As reviewers read them; one line says that there is none. */
export function differenceLines(found: readonly Difference[], spec: string, paint: Paint): string[] {
  if (found.length === 0) return ['', plain(`Nothing differs from ${spec}.`)];
  return found.flatMap(({ alias, server, before, after, view }) => {
    const head = paint.bold(plain(`${alias} (${server})`));
    if (before === null) {
      const all = `lk diff ${server}@${after}`;
      return ['', `${head}: new, ${plain(after ?? '')}; all of it is to be read: ${plain(all)}`];
    }
    if (after === null || view === null) return ['', `${head}: no longer locked, was ${plain(before)}`];
    const shown = { ...view, before: { version: before }, after: { version: after } };
    return ['', head, upToMost(renderDiff(shown, paint), `lk diff ${server}@${after} --from ${before}`)];
  });
}
