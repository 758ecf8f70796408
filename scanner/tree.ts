/** The dependency tree that npm would install for one exact version, as the resolver thread finds it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type Code, LockkeeperError, quote, refusing } from '../schemas/errors.ts';
import type { NpmOptions, ScanPorts } from './ports.ts';

const RESOLVE_MS = 180_000;
const MEMORY_MIB = 2048;

export interface PackageRef {
  readonly name: string;
  readonly version: string;
}

/** Versions to hold packages at, as `overrides` of a package.json does. */
export type Overrides = Readonly<Record<string, string>>;

/** One package of the tree that has a tarball of its own. */
export interface TreeNode {
  readonly name: string;
  readonly version: string;
  /** `node_modules/a/node_modules/b` */
  readonly location: string;
  readonly resolved: string | null;
  readonly integrity: string | null;
  readonly optional: boolean;
  readonly os: readonly string[] | null;
  readonly cpu: readonly string[] | null;
  /** Names of packages that lie inside its tarball. */
  readonly bundles: readonly string[];
}

/** What a package.json asks for, and the lockfile beside it. */
export interface OwnPackage {
  readonly wishes: Readonly<Record<string, unknown>>;
  readonly lockfile: string | null;
}

export interface ResolveWork {
  readonly ref: PackageRef;
  readonly overrides: Overrides;
  readonly npm: NpmOptions;
  /** An empty folder to resolve in. */
  readonly path: string;
  /** Where the package itself is at hand: its own wishes, in the place of a version of it. */
  readonly own?: OwnPackage;
}

export type ResolveAnswer =
  | { readonly nodes: readonly TreeNode[] }
  | { readonly refusal: { code: Code; expected: string; found: string; next: string } };

/**
 * Every package of the tree; what is bundled lies in its parent's tarball. Optional packages for other machines are
 * among them. Runs on a thread of its own: peer dependencies can be written so that npm's algorithm never ends, without
 * a pause in which a timer could fire. Throws CLOSURE_INCOMPLETE, SOURCE_INVALID or SOURCE_UNREACHABLE.
 */
export async function resolveTree(
  ref: PackageRef,
  ports: ScanPorts,
  { overrides = {}, own }: { readonly overrides?: Overrides; readonly own?: OwnPackage },
): Promise<readonly TreeNode[]> {
  const path = await mkdtemp(join(ports.workDir, 'resolve-'));
  try {
    const work = { ref, overrides, npm: ports.npm, path, ...(own && { own }) };
    const answer = await ask(work, ports.resolveMs ?? RESOLVE_MS);
    if ('nodes' in answer) return answer.nodes;
    throw new LockkeeperError(answer.refusal.code, answer.refusal);
  } finally {
    await rm(path, { recursive: true, force: true });
  }
}

async function ask(work: ResolveWork, ms: number): Promise<ResolveAnswer> {
  const entry = new URL(`./resolver/main${extname(import.meta.url)}`, import.meta.url);
  const worker = new Worker(entry, {
    workerData: work,
    resourceLimits: { maxOldGenerationSizeMb: MEMORY_MIB },
  });
  const { ref } = work;
  const whole = `the dependencies of ${ref.name}@${ref.version} to be resolved within ${ms / 1000} s and ${MEMORY_MIB} MiB`;
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<ResolveAnswer>((resolve, reject) => {
      timer = setTimeout(() => reject(incomplete(whole, 'no end of it')), ms);
      worker.once('message', resolve);
      worker.once('error', (cause: Error) => reject(incomplete(whole, quote(cause.message, 200), cause)));
      worker.once('exit', () => reject(incomplete(whole, 'an end without an answer')));
    });
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}

export const incomplete = refusing(
  'CLOSURE_INCOMPLETE',
  'Such a release cannot be pinned whole; use another version or tell its maintainers',
);
