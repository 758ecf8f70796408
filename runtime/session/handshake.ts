/** Before a client hears anything: is this live server the locked one? */

import type { JsonObject } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { LockEntry } from '../../schemas/lock.ts';
import { type Era, pinSurface, SECTIONS, type Section, type Surface } from '../../schemas/surface.ts';
import type { LiveSurface } from '../gate/surface.ts';
import { captureSurface, listAll } from './capture.ts';
import type { Peer } from './peer.ts';

export interface Compare {
  readonly entry: LockEntry;
  readonly era: Era;
  readonly live: LiveSurface;
  readonly timeoutMs: number;
}

/** An item of the lock that the server shows otherwise, not at all, or besides. */
export interface SeenDrift {
  readonly section: Section;
  readonly key: string;
  readonly standing: 'unknown' | 'changed' | 'missing';
  readonly fields: readonly string[];
  readonly digest: string | null;
}

/**
 * Takes the surface as the lock says it was taken. What describes the server as a whole must be the same; single items
 * that drifted are returned and stay closed. Throws SURFACE_DRIFT when no locked tool is left.
 */
export async function assertSurface(
  peer: Peer,
  compare: Compare,
): Promise<{ hello: JsonObject; drifts: SeenDrift[] }> {
  const { entry, era, timeoutMs } = compare;
  const { protocolVersion, clientCapabilities } = entry.surface.capture;
  const { hello, surface } = await captureSurface(peer, {
    era,
    protocolVersion,
    clientCapabilities,
    timeoutMs,
  });
  assertSameServer(entry, surface);
  const drifts = SECTIONS.flatMap((section) => driftsIn(section, surface[section], compare));
  const locked = Object.keys(entry.surface.tools);
  const standing = locked.filter(
    (name) => compare.live.standing('tools', name) === 'locked' && Object.hasOwn(surface.tools, name),
  );
  if (locked.length > 0 && standing.length === 0) {
    throw drift(
      entry,
      `the ${locked.length} locked tools`,
      `none of them as locked (${drifts
        .slice(0, 3)
        .map(({ key, fields }) => `${quote(key, 64)}: ${fields.join(', ') || 'missing'}`)
        .join('; ')})`,
    );
  }
  return { hello, drifts };
}

/**
 * What describes the server as a whole. A lock of both eras was taken in the session era, and the other one words
 * capabilities its own way: there, what a model reads and who it says it is are compared.
 */
function assertSameServer({ surface: pins, server, version }: LockEntry, surface: Surface): void {
  const found = pinSurface({ ...surface, capture: pins.capture, volatile: pins.volatile }).server;
  const wording = pins.capture.eras.length > 1 && surface.capture.eras[0] === 'stateless';
  const differing = [...new Set([...Object.keys(pins.server), ...Object.keys(found)])].filter(
    (field) => pins.server[field] !== found[field] && !(wording && field === 'capabilities'),
  );
  if (
    !pins.capture.eras.includes('stateless') &&
    surface.capture.protocolVersion !== pins.capture.protocolVersion
  )
    differing.push('protocolVersion');
  if (differing.length === 0) return;
  throw drift(
    { server, version },
    `serverInfo, capabilities and instructions as locked`,
    `other ${differing.join(' and ')}`,
  );
}

function drift(
  entry: Pick<LockEntry, 'server' | 'version'>,
  expected: string,
  found: string,
): LockkeeperError {
  return new LockkeeperError('SURFACE_DRIFT', {
    expected: `${entry.server} ${entry.version} to show ${expected}`,
    found,
    next: 'Do not use it: it is not what was reviewed. Tell its reviewers; a release that depends on its surroundings must be scanned in them',
  });
}

function driftsIn(
  section: Section,
  items: Readonly<Record<string, JsonObject>>,
  { entry, live }: Compare,
): SeenDrift[] {
  const drifts: SeenDrift[] = [];
  for (const item of Object.values(items)) {
    const seen = live.see(section, item);
    if (seen.drift) drifts.push(seen.drift);
  }
  for (const key of Object.keys(entry.surface[section])) {
    if (!Object.hasOwn(items, key))
      drifts.push({ section, key, standing: 'missing', fields: [], digest: null });
  }
  return drifts;
}

/** Reads sections again after a list_changed notice. */
export async function relist(
  peer: Peer,
  compare: Compare,
  sections: readonly Section[],
): Promise<SeenDrift[]> {
  const { clientCapabilities } = compare.entry.surface.capture;
  const drifts: SeenDrift[] = [];
  for (const section of sections) {
    if (section === 'resourceTemplates' && Object.keys(compare.entry.surface[section]).length === 0) continue;
    const items = await listAll(peer, section, {
      era: compare.era,
      timeoutMs: compare.timeoutMs,
      clientCapabilities,
    });
    drifts.push(...driftsIn(section, items, compare));
  }
  return drifts;
}
