/** A policy file against the lock of the project, with the locked texts of its servers. */
import { join, resolve } from 'node:path';
import { type CompiledPolicy, compilePolicy } from '../../runtime/policy/compile.ts';
import { openPolicy, type Policy } from '../../runtime/policy/open.ts';
import { POLICY_FILE } from '../../runtime/policy/words.ts';
import { type Known, labelsOf, namesOf, worldOf } from '../../runtime/policy/world.ts';
import { surfaceOf } from '../../runtime/prepare.ts';
import { openBlobs } from '../../runtime/store/blobs.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { sha256 } from '../../schemas/json.ts';
import type { LockEntry } from '../../schemas/lock.ts';
import type { Surface } from '../../schemas/surface.ts';
import { type Context, text, type Values } from '../command.ts';
import { readPolicyAt } from '../policy-file.ts';
import { openProject, projectOf } from '../project.ts';

export interface PolicyHere {
  readonly path: string;
  readonly digest: string;
  /** Of the policy in the lock; null where it carries none. */
  readonly locked: string | null;
  readonly environment: string;
  readonly entries: ReadonlyMap<string, LockEntry>;
  readonly compiled: CompiledPolicy;
  readonly world: ReadonlyMap<string, Known>;
  readonly unlabelled: readonly string[];
  readonly policy: Policy;
}

/** The file of `--policy`, or the project's. Throws what verifying the lock throws, POLICY_MISSING and POLICY_INVALID. */
export async function policyHere(context: Context, values: Values): Promise<PolicyHere> {
  const project = projectOf(context, values);
  const { verified, intent } = await openProject(context, project);
  const { environment, policy: locked } = verified.lock;
  const given = text(values, 'policy');
  const path = given === undefined ? join(project.dir, POLICY_FILE) : resolve(context.cwd, given);
  const source = await readPolicyAt(path);
  const entries = new Map([...verified.entries].map(([alias, { entry }]) => [alias, entry]));
  const compiled = compilePolicy(source, namesOf(entries));
  const blobs = await openBlobs(join(context.home.storeDir, 'blobs'));
  const surfaces = new Map<string, Surface>();
  for (const [alias, one] of verified.entries)
    surfaces.set(
      alias,
      await surfaceOf({ verified: one, blobs, fetch: (digest) => fetchAt(context, intent.registry, digest) }),
    );
  const digest = sha256(source);
  return {
    path,
    digest,
    locked: locked?.digest ?? null,
    environment,
    entries,
    compiled,
    world: worldOf(entries, surfaces, compiled.unlabelled),
    unlabelled: unlabelledOf(entries),
    policy: openPolicy({ text: source, digest, environment, entries, surfaces }),
  };
}

function unlabelledOf(entries: ReadonlyMap<string, LockEntry>): string[] {
  return [...entries].flatMap(([alias, entry]) =>
    Object.keys(entry.surface.tools)
      .filter((tool) => labelsOf(tool, entry) === undefined)
      .map((tool) => `${alias}/${tool}`),
  );
}

async function fetchAt(context: Context, registry: string, digest: string): Promise<Buffer> {
  const api = await context.api(registry).catch((cause: unknown) => {
    throw new LockkeeperError('ARTIFACT_MISSING', {
      expected: `the locked texts ${digest} in the local store, or a sign-in to fetch them with`,
      found: 'neither',
      next: 'Run: lk login URL --code CODE',
      cause,
    });
  });
  return api.blob(digest);
}
