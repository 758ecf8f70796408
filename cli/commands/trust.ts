import { resolve } from 'node:path';
import { assertTrustFile, trustChanges } from '../../runtime/provenance/trust-text.ts';
import { writeAtomic } from '../../runtime/store/atomic.ts';
import type { TrustedRoot } from '../../runtime/trust/root.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { sha256 } from '../../schemas/json.ts';
import { TrustFilesView, type TrustFileView } from '../../schemas/trust-files.ts';
import type { Command, Context, Result } from '../command.ts';
import { plain } from '../output.ts';
import { rootAt } from '../roots.ts';

export const trust: Command = {
  summary: 'show the trust files that root.json pins, and what changed since',
  words: '[save NAME FILE]',
  options: {},
  examples: ['lk trust', 'lk trust --json', 'lk trust save sigstore trusted_root.json'],
  arity: [0, 3],
  async run(context, [verb, name, file]) {
    if (verb === undefined) return show(context);
    if (verb === 'save' && name !== undefined && file !== undefined)
      return save(context, name, resolve(context.cwd, file));
    throw new LockkeeperError('USAGE', {
      expected: `lk trust ${trust.words}`,
      found: quote([verb, name, file].filter(Boolean).join(' ')),
      next: 'See: lk trust --help',
    });
  },
};

interface Compared extends Omit<TrustFileView, 'pinned' | 'offered'> {
  /** By the root that this machine verified. */
  readonly pinned: { readonly digest: string; readonly bytes: Buffer | null } | null;
  readonly offered: {
    readonly target: string;
    readonly digest: string;
    readonly bytes: Buffer;
    readonly since: string;
  } | null;
}

async function asked(context: Context): Promise<{ view: TrustFilesView; files: Compared[] }> {
  const api = await context.api();
  const root = await rootAt(context, api);
  const view = await api.call('trustFiles', TrustFilesView);
  return { view, files: view.files.map((file) => compared(file, root)) };
}

/** What is pinned is what the verified root says, and what a file changes is read here from bytes with that digest. */
function compared(file: TrustFileView, { root }: TrustedRoot): Compared {
  const { name } = file;
  const digest = Object.hasOwn(root.trustRoots, name) ? root.trustRoots[name] : undefined;
  const bytes = file.pinned?.bytes == null ? null : Buffer.from(file.pinned.bytes, 'base64');
  const before = bytes !== null && sha256(bytes) === digest ? bytes : null;
  const offered = file.offered && { ...file.offered, bytes: Buffer.from(file.offered.bytes, 'base64') };
  if (offered !== null && sha256(offered.bytes) !== offered.digest) throw otherBytes(name, offered.digest);
  const state = offered === null ? 'kept' : offered.digest === digest ? 'used' : digest ? 'changed' : 'new';
  const waits = offered !== null && (state === 'changed' || state === 'new');
  return {
    name,
    state,
    pinned: digest === undefined ? null : { digest, bytes: before },
    offered,
    changes: waits ? trustChanges(before, offered.bytes) : [],
  };
}

function otherBytes(name: string, digest: string): LockkeeperError {
  return new LockkeeperError('ARTIFACT_MISMATCH', {
    expected: `the trust file ${quote(name)} with ${quote(digest, 80)}`,
    found: 'other bytes',
    next: 'Tell whoever runs the registry',
  });
}

async function show(context: Context): Promise<Result> {
  const { view, files } = await asked(context);
  const { repository, readAt, problem } = view;
  const head =
    repository === null
      ? 'No repository of trust files is set (LOCKKEEPER_TUF): nobody is asked whether there are newer ones.'
      : `Trust files of ${repository}, ${readAt === null ? 'never read yet' : `read ${readAt.slice(0, 16)}Z`}.`;
  const lines = [
    plain(head),
    ...(problem === null ? [] : [context.paint.red(plain(`Not read the last time: ${problem.message}`))]),
    ...(files.length === 0
      ? ['root.json pins none.']
      : files.flatMap((file) => ['', ...linesOf(file, context)])),
  ];
  const data = files.map(({ name, state, pinned, offered, changes }) => ({
    ...{ name, state, changes },
    pinned: pinned?.digest ?? null,
    offered: offered && { digest: offered.digest, target: offered.target, since: offered.since },
  }));
  return { data: { repository, readAt, problem, files: data }, text: lines.join('\n') };
}

const STATES: Readonly<Record<TrustFileView['state'], string>> = {
  used: 'in use, as the repository has it',
  changed: 'the repository has another one, which waits for the root holders',
  new: 'not in use: it waits for the root holders',
  kept: 'in use; nothing was read to compare it with',
};

function linesOf({ name, state, pinned, offered, changes }: Compared, { paint }: Context): string[] {
  const lines = [
    `${paint.bold(plain(name))}: ${STATES[state]}`,
    ...(pinned === null ? [] : [`  in use   ${pinned.digest}`]),
  ];
  if (offered === null || state === 'used') return lines;
  const against =
    pinned === null
      ? 'It holds:'
      : pinned.bytes === null
        ? 'The file in use is not in the registry, so that all of the other one is shown:'
        : 'What it changes:';
  return [
    ...lines,
    `  offered  ${offered.digest} (${plain(offered.target)}, since ${offered.since.slice(0, 10)})`,
    `  ${against}`,
    ...changes.map((line) => `    ${plain(line)}`),
    '  Nothing of it is used before root.json pins it. Next, by the root holders:',
    `    lk keys root init next.json && lk keys root set next.json --trust-root ${name}=${offered.digest}`,
  ];
}

/** For a scanner that reaches no repository, and for lk scan --trust-root. */
async function save(context: Context, name: string, path: string): Promise<Result> {
  const { files } = await asked(context);
  const offered = files.find((file) => file.name === name)?.offered;
  if (!offered)
    throw new LockkeeperError('NOT_FOUND', {
      expected: 'the name of a trust file that the repository has',
      found: quote(name),
      next: 'List them with: lk trust',
    });
  assertTrustFile(offered.bytes);
  await writeAtomic(path, offered.bytes);
  const { digest } = offered;
  return {
    data: { name, digest, path },
    text: `Wrote ${path} (${digest}). It counts where that digest is pinned.`,
  };
}
