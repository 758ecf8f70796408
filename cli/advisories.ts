/** What is publicly known against releases, as the command line tells it. */
import { counted, type Paint } from '../scanner/text.ts';
import {
  AdvisoryCheckView,
  type AffectedRelease,
  type Affecting,
  advisoryLine,
  failsGate,
} from '../schemas/advisory.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import type { LockEntry } from '../schemas/lock.ts';
import type { Api } from './api.ts';
import { clip, plain } from './output.ts';

const SHOWN = 5;
const LINE = 160;

/** The gravest few, a line each, and how many more there are. */
export function advisoryLines(advisories: readonly Affecting[], most = SHOWN): string[] {
  const more = advisories.length - most;
  return [
    ...advisories.slice(0, most).map((one) => `  ${clip(plain(advisoryLine(one)), LINE)}`),
    ...(more > 0 ? [`  and ${more} more (--json shows all)`] : []),
  ];
}

/** What a person has to decide about a release, above what is known against it. */
export function heldLines({ held }: Pick<AffectedRelease, 'held'>, paint: Paint): string[] {
  return held === null ? [] : [paint.red(`  ${plain(held)}.`)];
}

/** Which projects would have to act. */
export function locksText(releases: readonly Pick<AffectedRelease, 'locks'>[]): string {
  const locks = new Set(
    releases.flatMap((one) => one.locks.map(({ project, version }) => `${project}#${version}`)),
  );
  const projects = new Set(releases.flatMap((one) => one.locks.map(({ project }) => project)));
  if (locks.size === 0) return 'no lock names them';
  return `${counted(locks.size, 'lock')} in ${counted(projects.size, 'project')}: ${plain([...projects].sort().join(', '))}`;
}

export type Against = AdvisoryCheckView['releases'];

/** What the registry knows against the releases of a lock. Throws ADVISORY_AFFECTS where its policy fails the gate. */
export async function assertUnaffected(
  api: Api,
  entries: readonly Pick<LockEntry, 'server' | 'version'>[],
): Promise<Against> {
  const body = { releases: entries.map(({ server, version }) => ({ server, version })) };
  const { failOn, releases } = await api.call('advisoryCheck', AdvisoryCheckView, { body });
  const failing = releases.flatMap(({ server, version, advisories }) =>
    advisories
      .filter((one) => failsGate(one, failOn))
      .map((one) => `${server} ${version}: ${advisoryLine(one)}`),
  );
  if (failing.length === 0) return releases;
  const more = failing.length > SHOWN ? `; and ${failing.length - SHOWN} more` : '';
  throw new LockkeeperError('ADVISORY_AFFECTS', {
    expected: `no known vulnerability of severity ${failOn} or above, as the registry’s policy says`,
    found: `${failing
      .slice(0, SHOWN)
      .map((one) => clip(plain(one), LINE))
      .join('; ')}${more}`,
    next: 'Ask reviewers for a version without it: lk review, then lk lock',
  });
}
