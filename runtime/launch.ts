/** From a lock entry to a launch plan: argv, environment, mounts and limits come from the lock and from nowhere else. */
import { resolve } from 'node:path';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import type { LockEntry } from '../schemas/lock.ts';
import { isLocal } from '../schemas/release.ts';
import { checkMount } from './isolation/mounts.ts';
import type { LaunchPlan, Mount } from './ports.ts';
import { secretFileNames, secretsOf } from './secrets.ts';

export interface LaunchContext {
  readonly id: string;
  readonly appDir: string;
  /** Folder of lockkeeper.json; mounts are relative to it. */
  readonly projectDir: string;
  /** Folders that no mount may hold: the person's own, and Lockkeeper's for them. */
  readonly homes: readonly string[];
  /** The caller's environment; only names that the lock permits and the project asks for are taken. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly egressSocket: string;
}

/**
 * The plan for one start. Throws NOT_LOCKED where the request goes beyond the approved permissions (the signed lock
 * should not hold such a request; the runtime does not rely on that) and MOUNT_REFUSED for an unsafe path.
 */
export async function planLaunch(entry: LockEntry, context: LaunchContext): Promise<LaunchPlan> {
  const { request, permissions, launch } = entry;
  const args = request.args ?? [];
  if (!isLocal(launch)) throw beyond(entry, 'a server that is started here', `one at ${launch.url}`);
  if (args.length > 0 && !launch.projectArgs) {
    throw beyond(entry, 'no arguments of the project', `the arguments ${quote(args.join(' '))}`);
  }
  const [first, ...rest] = [...launch.command, ...args];
  if (first === undefined) throw beyond(entry, 'a command', 'none');
  const { id, appDir, egressSocket } = context;
  for (const name of Object.keys(request.secrets ?? {}))
    if (!permissions.secrets?.includes(name))
      throw beyond(entry, `only the secrets ${permissions.secrets?.join(', ') || '(none)'}`, name);
  const secrets = await secretsOf(entry, context);
  return {
    id,
    appDir,
    command: [first, ...rest],
    ...(launch.python ? { python: launch.python } : {}),
    ...(launch.image ? { image: launch.image } : {}),
    ...(launch.image && permissions.egress.length > 0 ? { reaches: true as const } : {}),
    env: { ...launch.env, ...environmentOf(entry, context.environment), ...secretFileNames(secrets) },
    mounts: await mountsOf(entry, context),
    ...(secrets.length > 0 ? { secrets } : {}),
    limits: permissions.limits,
    egressSocket,
  };
}

function beyond(entry: LockEntry, expected: string, found: string): LockkeeperError {
  return new LockkeeperError('NOT_LOCKED', {
    expected: `${expected}, as approved for ${entry.server} ${entry.version}`,
    found,
    next: 'Change lockkeeper.json and run lk lock, or ask for a release with these permissions',
  });
}

function environmentOf(entry: LockEntry, environment: LaunchContext['environment']): Record<string, string> {
  const values: Record<string, string> = {};
  for (const name of entry.request.env ?? []) {
    if (!entry.permissions.env.includes(name))
      throw beyond(entry, `only the variables ${entry.permissions.env.join(', ') || '(none)'}`, name);
    const value = environment[name];
    if (value !== undefined) values[name] = value;
  }
  return values;
}

async function mountsOf(
  entry: LockEntry,
  context: Pick<LaunchContext, 'projectDir' | 'homes'>,
): Promise<Mount[]> {
  const wanted = entry.request.mounts ?? {};
  for (const target of Object.keys(wanted)) {
    if (!entry.permissions.mounts.some((mount) => mount.target === target)) {
      throw beyond(
        entry,
        `only the mounts ${entry.permissions.mounts.map((m) => m.target).join(', ') || '(none)'}`,
        target,
      );
    }
  }
  const mounts: Mount[] = [];
  for (const { target, mode } of entry.permissions.mounts) {
    const source = wanted[target];
    if (source !== undefined)
      mounts.push({
        source: await checkMount(resolve(context.projectDir, source), { ...context, mode }),
        target,
        mode,
      });
  }
  return mounts;
}
