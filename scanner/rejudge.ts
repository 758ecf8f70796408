/**
 * A report judged again from the evidence that it names: no server is started and nobody is asked. Only checks that judge
 * otherwise today, or that read what is otherwise known today, run; of the others the report's own results stand.
 */
import { join } from 'node:path';
import type { Blobs } from '../runtime/store/blobs.ts';
import type { CheckResult, Report } from '../schemas/finding.ts';
import { canonical } from '../schemas/json.ts';
import type { Policy } from '../schemas/policy.ts';
import type { Check, Facts } from './checks/check.ts';
import { applicable } from './checks/index.ts';
import { NO_CODE, openCode } from './code/open.ts';
import {
  readEvidence,
  type StoredEvidence,
  store,
  storeAdvisories,
  storeAttested,
  storeStandard,
} from './evidence.ts';
import { fileReader } from './files.ts';
import { fedAmong, type Named } from './installed/package.ts';
import type { KnownAdvisories } from './ports.ts';
import { type VerifiedAgain, verifiedAgain } from './provenance/again.ts';
import { summaryOf } from './provenance/standing.ts';
import type { TrustFiles } from './provenance/trust.ts';
import { didNotFinish, gatesAt, judge, reportAgain } from './report.ts';
import { type Rules, rulesOfChecks } from './rules.ts';

/** What it is judged by today. */
interface Today {
  readonly rules: Rules;
  readonly policy: Policy;
  readonly advisories: KnownAdvisories;
  readonly signed: Pick<VerifiedAgain, 'attested' | 'pins'>;
  readonly now: Date;
}

export interface RejudgeRequest extends Pick<Today, 'policy'> {
  /** What is known today against the packages that were found. */
  readonly advisories: (packages: readonly Named[]) => Promise<KnownAdvisories>;
  readonly report: Report;
  readonly reportDigest: string;
  /** Trust files that root.json pins today; absent where nobody knows a root. */
  readonly trust?: TrustFiles;
}

export interface RejudgePorts {
  readonly blobs: Blobs;
  /** What was read of code is kept in its folder `code`. */
  readonly workDir: string;
  readonly now: () => Date;
}

/** What changed of what a check judges by, in words, by the id of the check. */
type Because = Readonly<Record<string, readonly string[]>>;

export interface Rejudged {
  readonly report: Report;
  /** Blob with the report's canonical JSON. */
  readonly reportDigest: string;
  /** Why each check ran that did, by its id. */
  readonly because: Because;
}

/**
 * Null where it cannot be told from what was kept, and the release has to be scanned again: its report is from before all
 * evidence was kept, or a check breaks on it. Throws what the blob store throws, and ROOT_UNTRUSTED for a pin without its file.
 */
export async function rejudge(request: RejudgeRequest, ports: RejudgePorts): Promise<Rejudged | null> {
  const { report, policy } = request;
  const stored = await readEvidence(report, ports.blobs);
  if (stored === null) return null;
  const advisories = await request.advisories(fedAmong(stored.facts.installed.packages));
  const { blobs } = ports;
  const signed = request.trust
    ? await verifiedAgain(report, stored.facts, { trust: request.trust, blobs })
    : { attested: stored.facts.attested, pins: [], evidence: {} };
  const today: Today = { rules: await rulesOfChecks(), policy, advisories, signed, now: ports.now() };
  const { artifacts } = stored.facts.closure;
  const all = [...(stored.facts.baseline?.closure.artifacts ?? []), ...artifacts];
  const files = fileReader(all, blobs);
  const { code, done } = openCode(all, { files, dir: join(ports.workDir, 'code') });
  const remote = stored.facts.remote !== null;
  const reading = remote ? { files, code: async () => NO_CODE } : { files, code };
  let judged: Awaited<ReturnType<typeof judgeAgain>>;
  try {
    judged = await judgeAgain(report, { stored, today, reading });
  } finally {
    await done();
  }
  if (judged === null) return null;
  const evidence = {
    ...(await signedEvidence(report, signed, blobs)),
    advisories: await storeAdvisories(advisories, blobs),
    ...(await storeStandard(today.rules, policy, blobs)),
  };
  const of = { digest: request.reportDigest, now: today.now };
  const again = reportAgain(withOrigin(report, signed), { results: judged.results, evidence, of });
  return { report: again, reportDigest: await store(again, blobs), because: judged.because };
}

/** What it was verified with and to what end stands in the evidence, so that the next judgement begins from it. */
async function signedEvidence(
  { evidence }: Report,
  { attested, evidence: files }: VerifiedAgain,
  blobs: Blobs,
): Promise<Record<string, string>> {
  if (Object.keys(files).length === 0) return evidence;
  const next = Object.entries({ ...evidence, ...files }).filter(([, digest]) => digest !== null);
  return {
    ...(Object.fromEntries(next) as Record<string, string>),
    facts: await storeAttested(evidence.facts ?? '', attested, blobs),
  };
}

function withOrigin(report: Report, { attested, pins }: Today['signed']): Report {
  if (!report.origin || typeof attested === 'string' || pins.length === 0) return report;
  return { ...report, origin: { ...report.origin, provenance: summaryOf(attested) } };
}

interface Material {
  readonly stored: StoredEvidence;
  readonly today: Today;
  /** Asked only by checks that run. */
  readonly reading: Pick<Facts, 'files' | 'code'>;
}

/** Pure, but for the packages that checks of code read. Null where a check breaks on what was kept. */
async function judgeAgain(
  report: Report,
  { stored, today, reading }: Material,
): Promise<{ results: CheckResult[]; because: Because } | null> {
  const before = new Map(report.checks.map((result) => [result.id, result]));
  const facts: Facts = {
    ...stored.facts,
    ...reading,
    ...{ advisories: today.advisories, policy: today.policy, now: today.now },
    attested: today.signed.attested,
  };
  const all = applicable(facts);
  const because = Object.fromEntries(
    all.map(({ id, ...check }) => [id, staleFor({ id, ...check }, before, { stored, today })]),
  );
  const stale = all.filter(({ id }) => (because[id] ?? []).length > 0);
  const fresh = new Map((await judge(stale, facts)).map((result) => [result.id, result]));
  if ([...fresh.values()].some(didNotFinish)) return null;
  const results = all.flatMap((check): CheckResult[] => {
    const found = fresh.get(check.id) ?? before.get(check.id);
    return found ? [{ ...found, gates: gatesAt(check, found, facts) }] : [];
  });
  return { results, because: Object.fromEntries(stale.map(({ id }) => [id, because[id] ?? []])) };
}

type Reads = Pick<Check, 'id' | 'readsPolicy' | 'readsAdvisories' | 'readsAttested'>;

/** Nothing where the check would end as it did. */
function staleFor(
  { id, readsPolicy, readsAdvisories, readsAttested }: Reads,
  before: ReadonlyMap<string, CheckResult>,
  { stored, today }: Pick<Material, 'stored' | 'today'>,
): string[] {
  if (!before.has(id)) return ['the check is new'];
  const because: string[] = [];
  if (stored.rules[id] !== today.rules[id]) because.push('the check itself was changed');
  if (readsPolicy === true && canonical(stored.policy.scan) !== canonical(today.policy.scan))
    because.push('the policy was changed');
  if (readsAdvisories === true && newsOf(stored.facts.advisories) !== newsOf(today.advisories))
    because.push(newsIn(stored.facts.advisories, today.advisories));
  const { attested, pins } = today.signed;
  if (readsAttested === true && canonical(stored.facts.attested) !== canonical(attested))
    because.push(`root.json pins other trust files: ${pins.join(', ')}`);
  return because;
}

/** Which of them came, went or were written anew; the first few by name. */
function newsIn(before: KnownAdvisories | string, after: KnownAdvisories | string): string {
  const told = (known: KnownAdvisories | string): Map<string, string> =>
    new Map(typeof known === 'string' ? [] : known.affecting.map((one) => [one.id, canonical(one)]));
  const [old, now] = [told(before), told(after)];
  const ids = [...new Set([...old.keys(), ...now.keys()])].filter((id) => old.get(id) !== now.get(id)).sort();
  const more = ids.length > 3 ? ` and ${ids.length - 3} more` : '';
  return ids.length > 0
    ? `of advisories: ${ids.slice(0, 3).join(', ')}${more}`
    : 'other advisories were loaded';
}

/** What is known against it; how new that knowledge is changes with every day. */
function newsOf(advisories: KnownAdvisories | string): string {
  if (typeof advisories === 'string') return advisories;
  // Evidence from before says nothing of what was missing.
  const { newest, affecting, missing = [], unread = [] } = advisories as Partial<KnownAdvisories>;
  return canonical({ any: newest !== null, affecting: affecting ?? [], missing, unread });
}
