/** The one shape of a check. Facts in, one of three outcomes out; no check touches the world. */
import type { EgressEvent } from '../../runtime/ports.ts';
import type { UnpackedFile } from '../../runtime/store/unpack.ts';
import type { Behaviour } from '../../schemas/behaviour.ts';
import type { Change } from '../../schemas/diff/surfaces.ts';
import type { Evidence, Finding, Severity } from '../../schemas/finding.ts';
import type { Origin } from '../../schemas/origin.ts';
import type { Policy } from '../../schemas/policy.ts';
import type { Closure, Permissions } from '../../schemas/release.ts';
import type { RemoteLaunch } from '../../schemas/remote.ts';
import type { Surface } from '../../schemas/surface.ts';
import type { ByClient } from '../by-client.ts';
import type { CodeFacts } from '../code/facts.ts';
import type { GitFacts } from '../git/source.ts';
import type { RepositoryFacts } from '../github/look.ts';
import type { Installed } from '../installed/package.ts';
import type { BundleFacts } from '../mcpb/source.ts';
import type { ImageFacts } from '../oci/source.ts';
import type { Baseline, KnownAdvisories, Peer, Upstream } from '../ports.ts';
import type { Attested } from '../provenance/standing.ts';

export interface Facts {
  readonly closure: Closure;
  /** Purls whose registry promised no digest. */
  readonly unpromised: readonly string[];
  /** Files of one package of this closure or of the baseline's, by purl. */
  readonly files: (purl: string) => Promise<readonly UnpackedFile[]>;
  /** What the code of such a package says. */
  readonly code: (purl: string) => Promise<CodeFacts>;
  readonly rootPurl: string;
  readonly surface: Surface;
  /** As it read in the second start. */
  readonly other: Surface;
  readonly eraNote: string | null;
  readonly byClient: ByClient;
  readonly egress: readonly EgressEvent[];
  /** What it did when its tools were called. */
  readonly behaviour: Behaviour;
  /** Driver that the server was observed in. */
  readonly isolation: string;
  readonly baseline: Baseline | null;
  /** Changes from the baseline's surface; empty without one. */
  readonly changes: readonly Change[];
  /** Changes of permissions and launch from the baseline's; empty without one. */
  readonly reachChanges: readonly Change[];
  /** A string says why nothing is known. */
  readonly upstream: Upstream | string;
  /** A string says why nothing is known. */
  readonly attested: Attested | string;
  /** A string says why nothing is known. */
  readonly repository: RepositoryFacts | string;
  /** Null for a server that runs elsewhere. */
  readonly origin: Origin | null;
  /** A string says why nothing is known. */
  readonly advisories: KnownAdvisories | string;
  /** As they are asked for. */
  readonly permissions: Permissions;
  readonly policy: Policy;
  readonly now: Date;
  /** Of a server that runs elsewhere; null for a package. */
  readonly remote: RemoteLaunch | null;
  /** What the servers beside it show; absent where nobody knows. */
  readonly peers?: readonly Peer[];
  /** Of a server that is an image; null for any other. */
  readonly image: ImageFacts | null;
  /** Every package that was found in it. */
  readonly installed: Installed;
  /** Of a server that is an MCP bundle; null for any other. */
  readonly bundle: BundleFacts | null;
  /** Of a server out of a git repository; null for any other. */
  readonly git: GitFacts | null;
}

/** What can be judged of what a server shows alone. */
export type SurfaceFacts = Pick<Facts, 'surface' | 'other' | 'baseline' | 'changes' | 'policy' | 'peers'>;

export type Outcome =
  | { readonly outcome: 'ok'; readonly note: string }
  | { readonly outcome: 'fired'; readonly findings: readonly Omit<Finding, 'check'>[] }
  | { readonly outcome: 'unknown'; readonly reason: string };

/**
 * Whose release a check says something of. What is not read of a remote server and of an image is said once for all, by
 * LK-ART-01 and by the check of images.
 */
export type About = 'package' | 'package or image' | 'image' | 'bundle' | 'built wheel' | 'commit';

export interface CheckOf<F> {
  readonly id: string;
  readonly title: string;
  /** Row of the OWASP MCP Top 10. */
  readonly owasp: string;
  /** Absent where it is about every server. */
  readonly about?: About;
  /** Set where it gates only when it fired: what it reads is not everywhere at hand, and unknown is told all the same. */
  readonly gatesFiredOnly?: true;
  /** Set where it gates only against an approved release: what a first one is as a whole, people read and approve. */
  readonly gatesNewOnly?: true;
  /** Set where it reads what code says, which is judged anew when that is read otherwise. */
  readonly readsCode?: true;
  /** Set where it reads advisories, which is judged anew when others are known. */
  readonly readsAdvisories?: true;
  /** Set where it reads what was verified of signatures, which is verified anew when root.json pins other trust files. */
  readonly readsAttested?: true;
  /** Set where it reads the policy, and ends otherwise under another one. Which checks gate is not for a check to read. */
  readonly readsPolicy?: true;
  run(facts: F): Promise<Outcome> | Outcome;
}

export type Check = CheckOf<Facts>;
export type SurfaceCheck = CheckOf<SurfaceFacts>;

export const ok = (note: string): Outcome => ({ outcome: 'ok', note });
export const unknown = (reason: string): Outcome => ({ outcome: 'unknown', reason });

/** Fired with these findings, or ok with the note where there are none. */
export function firedOr(findings: readonly Omit<Finding, 'check'>[], note: string): Outcome {
  return findings.length > 0 ? { outcome: 'fired', findings } : ok(note);
}

export function finding(
  severity: Severity,
  message: string,
  evidence: readonly Evidence[],
): Omit<Finding, 'check'> {
  return { severity, message: message.slice(0, 1000), evidence: evidence.slice(0, 200) };
}

/** Text around a place, for evidence; at most 160 characters. */
export function excerpt(text: string, at = 0, length = 160): string {
  const from = Math.max(0, at - 40);
  return `${from > 0 ? '…' : ''}${text.slice(from, from + length)}${from + length < text.length ? '…' : ''}`;
}

const GRAVITY: readonly Severity[] = ['critical', 'high', 'medium', 'low', 'info'];

/** The gravest first, and how many there were beyond those that a report holds. */
export function gravest(findings: readonly Omit<Finding, 'check'>[], most = 100): Omit<Finding, 'check'>[] {
  const sorted = [...findings].sort((a, b) => GRAVITY.indexOf(a.severity) - GRAVITY.indexOf(b.severity));
  if (sorted.length <= most) return sorted;
  const more = `and ${sorted.length - most} more like these`;
  const [first] = sorted;
  const evidence = [{ kind: 'fact', source: 'scan', value: `${sorted.length} in all` }] as const;
  return [...sorted.slice(0, most), finding(first?.severity ?? 'high', more, evidence)];
}
