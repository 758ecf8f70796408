/** Does what a project asks for fit a release? One answer for who asks, who locks and who runs. Pure. */
import satisfies from 'semver/functions/satisfies.js';
import valid from 'semver/functions/valid.js';
import { LockkeeperError } from './errors.ts';
import type { IntentServer } from './intent.ts';
import type { Permissions } from './release.ts';

/** `*` is every version, prereleases among them; any other range is read as npm reads it. */
export function inRange(version: string, range: string): boolean {
  return valid(version) !== null && (range === '*' || satisfies(version, range));
}

/** What a project asks for beside a version has to be among what was approved. Throws LOCK_UNRESOLVED. */
export function assertPermitted(
  alias: string,
  request: IntentServer,
  { permissions, projectArgs }: { permissions: Permissions; projectArgs: boolean },
): void {
  const targets = permissions.mounts.map((mount) => mount.target);
  const secrets = permissions.secrets ?? [];
  const beyond = [
    ...Object.keys(request.mounts ?? {})
      .filter((target) => !targets.includes(target))
      .map((target) => `the mount ${target}`),
    ...(request.env ?? [])
      .filter((name) => !permissions.env.includes(name))
      .map((name) => `the variable ${name}`),
    ...Object.keys(request.secrets ?? {})
      .filter((name) => !secrets.includes(name))
      .map((name) => `the secret ${name}`),
    ...((request.args?.length ?? 0) > 0 && !projectArgs
      ? [`the arguments ${(request.args ?? []).join(' ')}`]
      : []),
  ];
  if (beyond.length === 0) return;
  throw new LockkeeperError('LOCK_UNRESOLVED', {
    expected: `${alias} to ask for what was approved: mounts ${targets.join(', ') || 'none'}, variables ${permissions.env.join(', ') || 'none'}, secrets ${secrets.join(', ') || 'none'}, ${projectArgs ? 'any' : 'no'} arguments`,
    found: beyond.join(', '),
    next: 'Change lockkeeper.json, or publish the release with these permissions',
  });
}
