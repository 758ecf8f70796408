/** What is publicly known against releases: told, asked by gates, and brought by hand where no feed is reached. */
import { readAdvisory } from '../../scanner/advisories/record.ts';
import {
  AdvisoryCheckBody,
  AdvisoryQuery,
  type AffectedRelease,
  ImportBody,
  type ImportView,
} from '../../schemas/advisory.ts';
import { asLockkeeperError, LockkeeperError } from '../../schemas/errors.ts';
import { heldSentence, revokeInfected, takeIn } from '../advisories/map.ts';
import type { Call, Handlers } from '../app.ts';
import { feedView } from '../db/advisories.ts';
import {
  affectedIds,
  affecting,
  heldReleases,
  locksNaming,
  releaseHeads,
  releaseIdsOf,
} from '../db/affected.ts';
import { insertEvent } from '../db/records.ts';
import type { Deps } from '../deps.ts';

export function advisoryRoutes(deps: Deps): Handlers {
  const { pool, policy } = deps;
  return {
    advisories: async (call) => {
      const { release } = call.query(AdvisoryQuery);
      const ids = release === undefined ? await affectedIds(pool) : [release];
      return { feed: await feedView(pool), releases: await affectedReleases(ids, deps) };
    },
    advisoryCheck: async (call) => {
      const { releases } = call.body(AdvisoryCheckBody);
      const ids = await releaseIdsOf(pool, releases);
      const known = await affecting(pool, [...ids.values()]);
      return {
        failOn: policy.advisories.failOn,
        releases: releases.flatMap(({ server, version }) => {
          const advisories = known.get(ids.get(`${server}@${version}`) ?? '') ?? [];
          return advisories.length > 0 ? [{ server, version, advisories }] : [];
        }),
      };
    },
    advisoryImport: (call) => bring(call, deps),
  };
}

/** One release is told of even when nothing affects it; a list holds those that something does. */
async function affectedReleases(ids: readonly string[], { pool, policy }: Deps): Promise<AffectedRelease[]> {
  const [heads, known, locks] = [
    await releaseHeads(pool, ids),
    await affecting(pool, ids),
    await locksNaming(pool, ids),
  ];
  const held = new Set((await heldReleases(pool)).map(({ id }) => id));
  return heads.map(({ id, name, version, state }) => ({
    id: Number(id),
    server: name,
    version,
    state,
    advisories: known.get(id) ?? [],
    locks: locks.get(id) ?? [],
    held: held.has(id) ? heldSentence({ name, version }, policy) : null,
  }));
}

const TOMORROW_MS = 24 * 3_600_000;

async function bring(call: Call, deps: Deps): Promise<ImportView> {
  const { records } = call.body(ImportBody);
  const reasons: string[] = [];
  const read = records.flatMap((text) => {
    try {
      const advisory = readAdvisory(Buffer.from(text, 'utf8'));
      if (Date.parse(advisory.modified) <= Date.now() + TOMORROW_MS) return [advisory];
      reasons.push(`${advisory.id} is from the future`);
    } catch (error) {
      const known = asLockkeeperError(error);
      if (!(error instanceof LockkeeperError)) throw error;
      reasons.push(known.message.replaceAll('\u0000', '').slice(0, 300).toWellFormed());
    }
    return [];
  });
  const stored = await takeIn(deps, read);
  const outcome = await revokeInfected(deps);
  const view = { stored, known: read.length - stored, skipped: reasons.length, ...outcome };
  if (stored + reasons.length > 0)
    await insertEvent(deps.pool, {
      person: call.actor.person,
      action: 'advisories.import',
      subject: 'advisories',
      detail: { ...view, first: reasons.slice(0, 5) },
    });
  return view;
}
