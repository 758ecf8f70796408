/** What a release may touch and how it is started, against the last approved one: each difference with a risk class. */
import type { Json } from '../common.ts';
import { canonical } from '../json.ts';
import { isLocal, type Launch, type LocalLaunch, type Permissions } from '../release.ts';
import { pointerOf } from '../surface.ts';
import type { Change, RiskClass } from './surfaces.ts';

export interface Reach {
  readonly permissions: Permissions;
  readonly launch: Launch;
}

/** Wider is risk, narrower is cosmetic; another way of being started is contract. In pointer order. */
export function diffReach(before: Reach, after: Reach): Change[] {
  const changes: Change[] = [];
  const [was, is] = [before.permissions, after.permissions];
  for (const list of ['egress', 'env', 'secrets'] as const) {
    const [old, now] = [was[list] ?? [], is[list] ?? []];
    for (const item of now) if (!old.includes(item)) changes.push(added(`/permissions/${list}`, item));
    for (const item of old) if (!now.includes(item)) changes.push(removed(`/permissions/${list}`, item));
  }
  diffMounts(was.mounts, is.mounts, changes);
  diffLabels(was.labels ?? {}, is.labels ?? {}, changes);
  for (const limit of ['memoryMiB', 'cpus', 'pids', 'tmpMiB'] as const) {
    const risk = is.limits[limit] > was.limits[limit] ? 'risk' : 'cosmetic';
    compare(`/permissions/limits/${limit}`, was.limits[limit], is.limits[limit], { risk, changes });
  }
  diffLaunch(before.launch, after.launch, changes);
  return changes.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
}

/** Where a remote server is and who answers there is what is trusted: any change of it is a risk. */
function diffLaunch(was: Launch, is: Launch, changes: Change[]): void {
  if (isLocal(was) && isLocal(is)) {
    compare('/launch/command', was.command, is.command, { risk: 'contract', changes });
    compare('/launch/env', was.env ?? {}, is.env ?? {}, { risk: 'contract', changes });
    compare('/launch/python', was.python ?? null, is.python ?? null, { risk: 'contract', changes });
    diffImage(was.image, is.image, changes);
    const risk = is.projectArgs ? 'risk' : 'cosmetic';
    return compare('/launch/projectArgs', was.projectArgs, is.projectArgs, { risk, changes });
  }
  if (isLocal(was) || isLocal(is)) return compare('/launch', was, is, { risk: 'risk', changes });
  for (const field of ['transport', 'url', 'reach', 'tls'] as const)
    compare(`/launch/${field}`, was[field], is[field], { risk: 'risk', changes });
}

/** Variables may choose what a program loads; the working folder and the user are told. */
function diffImage(was: LocalLaunch['image'], is: LocalLaunch['image'], changes: Change[]): void {
  if (was === undefined || is === undefined)
    return compare('/launch/image', was ?? null, is ?? null, { risk: 'contract', changes });
  for (const field of ['platform', 'env', 'workingDir', 'user'] as const)
    compare(`/launch/image/${field}`, was[field], is[field], { risk: 'contract', changes });
}

type Labels = NonNullable<Permissions['labels']>;

/** What a policy tells toxic flows by: a label that is gone opens what it closed. */
function diffLabels(was: Labels, is: Labels, changes: Change[]): void {
  for (const tool of new Set([...Object.keys(was), ...Object.keys(is)])) {
    const [old, now] = [was, is].map((labels) => (Object.hasOwn(labels, tool) ? labels[tool] : undefined));
    const narrower = now !== undefined && (old ?? []).every((label) => now.includes(label));
    const risk = old !== undefined && narrower ? 'cosmetic' : 'risk';
    compare(pointerOf('permissions', 'labels', tool), old ?? null, now ?? null, { risk, changes });
  }
}

type Mounts = Permissions['mounts'];

function diffMounts(was: Mounts, is: Mounts, changes: Change[]): void {
  const modeIn = (mounts: Mounts, target: string): string | undefined =>
    mounts.find((mount) => mount.target === target)?.mode;
  for (const { target, mode } of is) {
    const old = modeIn(was, target);
    if (old === undefined) changes.push(added('/permissions/mounts', `${target}:${mode}`));
    else
      compare(`/permissions/mounts${target}`, old, mode, {
        risk: mode === 'rw' ? 'risk' : 'cosmetic',
        changes,
      });
  }
  for (const { target, mode } of was)
    if (modeIn(is, target) === undefined) changes.push(removed('/permissions/mounts', `${target}:${mode}`));
}

function added(at: string, after: string): Change {
  return { at, kind: 'added', risk: 'risk', after };
}

function removed(at: string, before: string): Change {
  return { at, kind: 'removed', risk: 'cosmetic', before };
}

function compare(
  at: string,
  before: Json,
  after: Json,
  { risk, changes }: { risk: RiskClass; changes: Change[] },
): void {
  if (canonical(before) !== canonical(after)) changes.push({ at, kind: 'changed', risk, before, after });
}
