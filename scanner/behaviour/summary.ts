/** A behaviour in a few lines, for a report, and the permissions that it would take. Pure. */
import { permits } from '../../runtime/egress/rules.ts';
import type { Behaviour, BehaviourSummary, Seen } from '../../schemas/behaviour.ts';
import { Permissions } from '../../schemas/release.ts';
import { isValid } from '../../schemas/validate.ts';
import { SINKHOLE_HOST } from './places.ts';

const MOST = 100;

export function summaryOf(
  { unknown, atStart, calls, notCalled }: Behaviour,
  permissions: Permissions,
): BehaviourSummary {
  if (unknown !== null) return { unknown };
  const all = [atStart, ...calls.map(({ seen }) => seen)];
  const each = (of: (seen: Seen) => readonly string[]): string[] =>
    [...new Set(all.flatMap(of))].sort().slice(0, MOST);
  const named = each(({ tried }) => tried.filter(isOutside).map(({ host, port }) => `${host}:${port}`));
  return {
    called: calls.map(({ tool }) => tool),
    notCalled: notCalled.length,
    tried: named,
    proposed: named.filter((target) => isProposable(target, permissions)),
    read: each(({ read }) => read),
    processes: each(({ processes }) => processes),
    written: each(({ written }) => written),
  };
}

/** A host of its own choice: not the one that we named, and named at all. */
function isOutside({ host, via }: Seen['tried'][number]): boolean {
  return via !== 'kernel' && host !== SINKHOLE_HOST;
}

function isProposable(target: string, permissions: Permissions): boolean {
  const at = target.lastIndexOf(':');
  if (permits(permissions.egress, target.slice(0, at), Number(target.slice(at + 1)))) return false;
  return isValid(Permissions, { ...permissions, egress: [target] }) && /[a-z]/.test(target);
}
