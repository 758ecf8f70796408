/** The report: what was scanned, what was seen, what every check says. The same facts give the same bytes. */
import type { Digest } from '../schemas/common.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import type { CheckResult, Report } from '../schemas/finding.ts';
import type { Closure } from '../schemas/release.ts';
import { pinSurface } from '../schemas/surface.ts';
import { summaryOf } from './behaviour/summary.ts';
import type { CheckOf, Facts, Outcome } from './checks/check.ts';
import type { ScanRequest } from './ports.ts';
import { installedReport } from './sbom/sbom.ts';

const SCANNER_VERSION = '1';

/** Every check in its listed order. One that breaks has not run: unknown, never ok. Refusals go through. */
export async function judge<F extends Pick<Facts, 'policy' | 'baseline'>>(
  checks: readonly CheckOf<F>[],
  facts: F,
): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const check of checks) {
    const { id, title, owasp } = check;
    const outcome = await outcomeOf(check, facts);
    const head = { id, title, owasp, gates: gatesAt(check, outcome, facts) };
    if (outcome.outcome !== 'fired') results.push({ ...head, ...outcome });
    else {
      const findings = outcome.findings.map((one) => ({ check: id, ...one }));
      results.push({ ...head, outcome: 'fired', findings });
    }
  }
  return results;
}

/** Whether an outcome of this check has to be accepted by name. */
export function gatesAt(
  { id, gatesFiredOnly, gatesNewOnly }: Pick<CheckOf<never>, 'id' | 'gatesFiredOnly' | 'gatesNewOnly'>,
  { outcome }: Pick<CheckResult, 'outcome'>,
  { policy, baseline }: Pick<Facts, 'policy' | 'baseline'>,
): boolean {
  const fired = outcome === 'fired';
  const told = fired && gatesNewOnly === true && baseline === null;
  return policy.scan.gates.includes(id) && (fired || gatesFiredOnly !== true) && !told;
}

async function outcomeOf<F>(check: CheckOf<F>, facts: F): Promise<Outcome> {
  try {
    return await check.run(facts);
  } catch (error) {
    if (error instanceof LockkeeperError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    return { outcome: 'unknown', reason: `${BROKE}${reason}` };
  }
}

const BROKE = 'the check did not finish: ';

/** Whether it broke: what it judges may not be what it expects. */
export function didNotFinish(result: CheckResult): boolean {
  return result.outcome === 'unknown' && result.reason.startsWith(BROKE);
}

interface Conclusion {
  readonly request: ScanRequest;
  readonly facts: Facts;
  readonly results: readonly CheckResult[];
  readonly evidence: Readonly<Record<string, string>>;
}

/** Pure: nothing of the world but what the facts hold. */
export function reportOf({ request, facts, results, evidence }: Conclusion): Report {
  const { submission, baseline, trial } = request;
  const { name, version, source } = submission;
  const { closure, surface, egress, unpromised, isolation, rootPurl, now, origin } = facts;
  const { behaviour, permissions, image, bundle, git, installed } = facts;
  return {
    lockkeeper: 'report/v1',
    release: { name, version, purl: rootPurl, source },
    scannedAt: now.toISOString(),
    scanner: { version: SCANNER_VERSION, node: process.version, isolation },
    closure: {
      digest: closure.digest,
      artifacts: closure.artifacts.length,
      bytes: closure.artifacts.reduce((sum, artifact) => sum + artifact.size, 0),
      verified: closure.artifacts.filter(({ purl }) => !unpromised.includes(purl)).length,
      ...builtIn(closure),
    },
    ...(image === null ? {} : { image: image.report }),
    ...(bundle === null ? {} : { bundle: wellFormed(bundle.report) }),
    ...(git === null ? {} : { git: wellFormed(git.report) }),
    installed: wellFormed(installedReport(installed)),
    surface: {
      digest: pinSurface(surface).digest,
      protocolVersion: surface.capture.protocolVersion,
      tools: Object.keys(surface.tools).sort(),
      prompts: Object.keys(surface.prompts).length,
      resources: Object.keys(surface.resources).length,
      volatile: surface.volatile,
    },
    egressTried: egress.map((event) => `${event.host}:${event.port}`),
    behaviour: wellFormed(summaryOf(behaviour, permissions)),
    baseline: baseline ? { name, version: baseline.version } : null,
    checks: results.map((result) => wellFormed(result)),
    ...(origin === null ? {} : { origin: wellFormed(origin) }),
    trial,
    evidence,
  };
}

interface Again extends Pick<Conclusion, 'results' | 'evidence'> {
  /** The report whose evidence was judged, and when. */
  readonly of: { readonly digest: string; readonly now: Date };
}

/** The same release as it was seen then, judged today. */
export function reportAgain(report: Report, { results, evidence, of }: Again): Report {
  return {
    ...report,
    checks: results.map((result) => wellFormed(result)),
    again: { report: of.digest as Digest, at: of.now.toISOString() },
    evidence,
  };
}

/** Excerpts may end between the two halves of a character: the report has to be text that can be digested. */
export function wellFormed<T>(value: T): T {
  return JSON.parse(JSON.stringify(value), (_key, item: unknown) =>
    typeof item === 'string' ? item.toWellFormed() : item,
  ) as T;
}

function builtIn({ artifacts }: Closure): Pick<Report['closure'], 'built'> {
  const built = artifacts.flatMap(({ purl, built: one }) =>
    one ? [{ purl, from: one.source.purl, reproducible: one.reproducible }] : [],
  );
  return built.length === 0 ? {} : { built: built.slice(0, 100) };
}
