/** Publishing releases and reading them. */

import { purlOfSubmission } from '../../scanner/submission.ts';
import { ReleaseQuery } from '../../schemas/api.ts';
import { diffReach } from '../../schemas/diff/reach.ts';
import { diffSurfaces, stepOf } from '../../schemas/diff/surfaces.ts';
import { diffArtifacts, measuresOf } from '../../schemas/diff/view.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { digestOf, parseStrict } from '../../schemas/json.ts';
import { isMcpbSource, mcpbRefOf } from '../../schemas/mcpb.ts';
import type { Release, Submission } from '../../schemas/release.ts';
import { DiffQuery } from '../../schemas/review.ts';
import { PublishBody } from '../../schemas/server.ts';
import { Surface } from '../../schemas/surface.ts';
import { assertValid } from '../../schemas/validate.ts';
import type { Call, Handlers } from '../app.ts';
import { storedReport } from '../baseline.ts';
import { touchBundle } from '../db/mcp-bundles.ts';
import { isDuplicate, type Pool, withTransaction } from '../db/pool.ts';
import {
  findRelease,
  insertRelease,
  isReleaseBlob,
  lastApproved,
  listReleases,
  type ReleaseRow,
  scannedVersion,
} from '../db/releases.ts';
import type { Deps } from '../deps.ts';
import { factsOfRow } from '../facts.ts';
import { recordEvent } from '../log.ts';
import { claimName, type Publisher, packageKey } from '../owners.ts';
import { queueScan } from '../queue.ts';
import { viewOf } from '../view.ts';

export function releaseRoutes(deps: Deps): Handlers {
  const view = async (row: ReleaseRow): Promise<Release> => viewOf(row, (await deps.trust.current()).trusted);
  return {
    publish: async (call) => {
      const { owner, team, newSource, ...submission } = call.body(PublishBody);
      const { person, roles } = call.actor;
      const by = { person, admin: roles.includes('admin'), owner, team, newSource };
      const id = await submit(deps.pool, submission, by);
      void call.reply.code(201);
      return view(await releaseOr404(deps.pool, id));
    },
    releases: async (call) => {
      const query = call.query(ReleaseQuery);
      const limit = Math.min(Number(query.limit ?? 30), 100);
      const rows = await listReleases(deps.pool, {
        ...query,
        before: query.before === undefined ? undefined : Number(query.before),
        limit,
      });
      const { trusted } = await deps.trust.current();
      const releases = rows.map((row) => viewOf(row, trusted));
      return { releases, next: rows.length === limit ? Number(rows.at(-1)?.id) : null };
    },
    release: async (call) => view(await releaseOf(call, deps.pool)),
    report: async (call) => {
      const row = await scanned(call, deps.pool);
      return sendJson(call, await deps.blobs.get(row.report_digest ?? ''));
    },
    verdict: async (call) => {
      const row = await scanned(call, deps.pool);
      if (row.verdict) return sendJson(call, row.verdict);
      throw new LockkeeperError('NOT_FOUND', {
        expected: `a signed verdict on ${row.name} ${row.version}`,
        found: 'a report from before verdicts were signed',
        next: 'Submit the next version, or have this one rejected and submitted again',
      });
    },
    surface: async (call) => {
      const row = await scanned(call, deps.pool);
      return sendJson(call, await deps.blobs.get(row.surface_text ?? ''));
    },
    sbom: (call) => sbom(call, deps),
    diff: (call) => diff(call, deps),
    blob: async (call) => {
      const digest = call.param('digest');
      if (!(await isReleaseBlob(deps.pool, digest))) {
        throw new LockkeeperError('ARTIFACT_MISSING', {
          expected: 'the digest of an artifact of a release',
          found: quote(digest, 80),
          next: 'Check it against mcp.lock',
        });
      }
      void call.reply
        .type('application/octet-stream')
        .header('cache-control', 'private, max-age=31536000, immutable');
      return deps.blobs.get(digest);
    },
  };
}

/** Name, release, scan job and event in one transaction. Throws RELEASE_EXISTS and what `claimName` does. */
export async function submit(pool: Pool, submission: Submission, by: Publisher): Promise<string> {
  const purl = purlOfSubmission(submission);
  return withTransaction(pool, async (client) => {
    const { person } = by;
    const bound = await claimName(client, submission, by);
    const last = await lastApproved(client, submission.name, 0);
    // Until one from the new package was approved, each is compared with what was.
    const before = last ? packageKey(last.source) : bound;
    const formerPackage = before === packageKey(submission.source) ? null : before;
    const id = await insertRelease(client, submission, { person, purl, formerPackage });
    if (isMcpbSource(submission.source)) await touchBundle(client, mcpbRefOf(submission.source).digest);
    await queueScan(client, id);
    await recordEvent(client, {
      person,
      action: 'release.submitted',
      subject: `${submission.name}@${submission.version}`,
      detail: { source: submission.source },
      logged: { kind: 'submission', digest: digestOf(submission) },
    });
    return id;
  }).catch((error: unknown) => {
    if (!isDuplicate(error)) throw error;
    throw new LockkeeperError('RELEASE_EXISTS', {
      expected: `a version of ${submission.name} that was not submitted yet`,
      found: `${submission.version}, which is here already`,
      next: `Look at it with: lk review ${submission.name}@${submission.version}; with other arguments or permissions it takes another --name`,
    });
  });
}

async function releaseOr404(pool: Pool, id: string): Promise<ReleaseRow> {
  const row = /^[1-9][0-9]{0,15}$/.test(id) ? await findRelease(pool, id) : null;
  if (row) return row;
  throw new LockkeeperError('NOT_FOUND', {
    expected: 'the number of a release',
    found: quote(id, 40),
    next: 'List them with: lk review --state all',
  });
}

export function releaseOf(call: Call, pool: Pool): Promise<ReleaseRow> {
  return releaseOr404(pool, call.param('id'));
}

async function scanned(call: Call, pool: Pool): Promise<ReleaseRow> {
  const row = await releaseOf(call, pool);
  if (row.report_digest !== null) return row;
  throw new LockkeeperError('STATE_CONFLICT', {
    expected: 'a release that was scanned',
    found: `one that is ${row.state}`,
    next: 'Wait for the scan, or see its reason with: lk review',
  });
}

function sendJson(call: Call, bytes: Buffer): Buffer {
  void call.reply.type('application/json');
  return bytes;
}

/** The bytes that the report names by digest. */
async function sbom(call: Call, { pool, blobs }: Deps): Promise<Buffer> {
  const row = await scanned(call, pool);
  const { evidence } = await storedReport(row.report_digest ?? '', blobs);
  if (evidence.sbom !== undefined) return sendJson(call, await blobs.get(evidence.sbom));
  throw new LockkeeperError('NOT_FOUND', {
    expected: `a bill of materials of ${row.name} ${row.version}`,
    found: 'a report from before they were made',
    next: 'Submit the next version',
  });
}

function noVersion(name: string, version: string): LockkeeperError {
  return new LockkeeperError('NOT_FOUND', {
    expected: `a version of ${name} that was scanned`,
    found: quote(version),
    next: 'List them with: lk review --state all',
  });
}

/** Against what the report compared with, unless asked for another: history does not change when another release is approved or revoked later. */
async function diff(call: Call, { pool, blobs }: Deps): Promise<unknown> {
  const { from } = call.query(DiffQuery);
  const after = await scanned(call, pool);
  const report = await storedReport(after.report_digest ?? '', blobs);
  const wanted = from ?? report.baseline?.version;
  const before = wanted === undefined ? null : await scannedVersion(pool, after.name, wanted);
  if (from !== undefined && before === null) throw noVersion(after.name, from);
  const version = { id: Number(after.id), version: after.version };
  const none = { changes: [], reach: [], artifacts: diffArtifacts([], []) };
  if (!before) return { before: null, after: version, ...none, ...measuresOf(null, report) };
  const earlier = before.report_digest === null ? null : await storedReport(before.report_digest, blobs);
  const surfaceOf = async (row: ReleaseRow): Promise<Surface> =>
    assertValid(Surface, parseStrict(await blobs.get(row.surface_text ?? '')), 'a stored surface');
  const changes = diffSurfaces(await surfaceOf(before), await surfaceOf(after));
  return {
    before: { id: Number(before.id), version: before.version },
    after: version,
    changes,
    step: stepOf(changes),
    reach: diffReach(factsOfRow(before), factsOfRow(after)),
    artifacts: diffArtifacts(before.closure?.artifacts ?? [], after.closure?.artifacts ?? []),
    ...measuresOf(earlier, report),
  };
}
