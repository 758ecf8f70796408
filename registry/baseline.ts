/** An earlier release as evidence that a scan compares with. */
import type { Baseline, Peer } from '../scanner/ports.ts';
import { licencesIn } from '../scanner/sbom/sbom.ts';
import { Report } from '../schemas/finding.ts';
import { parseStrict } from '../schemas/json.ts';
import { Sbom } from '../schemas/sbom.ts';
import { Surface } from '../schemas/surface.ts';
import { assertValid } from '../schemas/validate.ts';
import { approvedBeside, type ReleaseRow } from './db/releases.ts';
import type { Deps } from './deps.ts';

/** Throws ARTIFACT_MISSING, ARTIFACT_MISMATCH or DOCUMENT_INVALID. */
export async function storedReport(digest: string, blobs: Deps['blobs']): Promise<Report> {
  return assertValid(Report, parseStrict(await blobs.get(digest)), 'a stored report');
}

/** Null for none, and for one that was not scanned. */
export async function baselineFrom(
  row: ReleaseRow | null,
  { blobs }: Pick<Deps, 'blobs'>,
): Promise<Baseline | null> {
  if (!row?.closure || !row.launch || row.surface_text === null) return null;
  const surface = assertValid(Surface, parseStrict(await blobs.get(row.surface_text)), 'a stored surface');
  const { version, closure, launch, maintainers, submission, report_digest: report } = row;
  const stored = report === null ? null : await storedReport(report, blobs);
  const licences = await licencesOf(stored, blobs);
  const { permissions } = submission;
  const origin = stored?.origin ?? null;
  const baseline = { version, closure, surface, maintainers, launch, permissions, origin };
  return licences === null ? baseline : { ...baseline, licences };
}

async function licencesOf(
  report: Report | null,
  blobs: Deps['blobs'],
): Promise<ReadonlyMap<string, string | null> | null> {
  const digest = report?.evidence.sbom;
  if (digest === undefined) return null;
  return licencesIn(assertValid(Sbom, parseStrict(await blobs.get(digest)), 'a stored bill of materials'));
}

/** Servers whose tools a new one is held against. */
const MOST_PEERS = 200;

/** What other servers show that were approved here. */
export async function peersOf(name: string, { pool, blobs }: Pick<Deps, 'pool' | 'blobs'>): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (const { name: server, surface_text: text } of await approvedBeside(pool, name, MOST_PEERS)) {
    if (text === null) continue;
    const { tools } = assertValid(Surface, parseStrict(await blobs.get(text)), 'a stored surface');
    peers.push({ server, tools });
  }
  return peers;
}
