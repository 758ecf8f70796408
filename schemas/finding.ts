/** What one check saw, with its evidence. Unknown is never ok. */
import { BehaviourSummary } from './behaviour.ts';
import { Closed, Digest, Instant } from './common.ts';
import { GitReport } from './git.ts';
import { BundleReport } from './mcpb.ts';
import { ImageReport } from './oci.ts';
import { Origin } from './origin.ts';
import { InstalledReport } from './sbom.ts';
import { type Static, Type } from './type.ts';

export const Severity = Type.Union([
  Type.Literal('critical'),
  Type.Literal('high'),
  Type.Literal('medium'),
  Type.Literal('low'),
  Type.Literal('info'),
]);
export type Severity = Static<typeof Severity>;

export const Evidence = Type.Union([
  Closed({ kind: Type.Literal('text'), at: Type.String(), excerpt: Type.String() }),
  Closed({
    kind: Type.Literal('file'),
    artifact: Type.String(),
    path: Type.String(),
    line: Type.Integer({ minimum: 0 }),
    excerpt: Type.String(),
  }),
  Closed({ kind: Type.Literal('change'), at: Type.String(), before: Type.String(), after: Type.String() }),
  Closed({ kind: Type.Literal('fact'), source: Type.String(), value: Type.String() }),
]);
export type Evidence = Static<typeof Evidence>;

export const CheckId = Type.String({ pattern: '^LK-[A-Z]+-[0-9]{2}$' });

/** One fired observation. Never without evidence. */
export const Finding = Closed({
  check: CheckId,
  severity: Severity,
  message: Type.String({ minLength: 1, maxLength: 1000 }),
  evidence: Type.Array(Evidence, { minItems: 1, maxItems: 200 }),
});
export type Finding = Static<typeof Finding>;

const CheckHead = {
  id: CheckId,
  title: Type.String(),
  /** Whether firing blocks approval unless a reviewer names the check in the approval. */
  gates: Type.Boolean(),
  owasp: Type.String({ pattern: '^MCP(0[1-9]|10)$' }),
};

/** The outcome of one check: ok, fired with findings, or unknown with the reason. */
export const CheckResult = Type.Union([
  Closed({ ...CheckHead, outcome: Type.Literal('ok'), note: Type.String() }),
  Closed({ ...CheckHead, outcome: Type.Literal('fired'), findings: Type.Array(Finding, { minItems: 1 }) }),
  Closed({ ...CheckHead, outcome: Type.Literal('unknown'), reason: Type.String({ minLength: 1 }) }),
]);
export type CheckResult = Static<typeof CheckResult>;

/** The scan of one release. Everything a verdict rests on is named by digest. */
export const Report = Closed({
  lockkeeper: Type.Literal('report/v1'),
  release: Closed({
    name: Type.String(),
    version: Type.String(),
    purl: Type.String(),
    source: Type.String(),
  }),
  scannedAt: Instant,
  scanner: Closed({ version: Type.String(), node: Type.String(), isolation: Type.String() }),
  closure: Closed({
    digest: Digest,
    artifacts: Type.Integer({ minimum: 1 }),
    bytes: Type.Integer({ minimum: 1 }),
    verified: Type.Integer({ minimum: 0 }),
    /** Of a closure with wheels that were built here, and only there: from what, and whether a second build was the same. */
    built: Type.Optional(
      Type.Array(Closed({ purl: Type.String(), from: Type.String(), reproducible: Type.Boolean() }), {
        maxItems: 100,
      }),
    ),
  }),
  /** Of a server that is an image, and only there. */
  image: Type.Optional(ImageReport),
  /** Absent in reports from before packages were listed. */
  installed: Type.Optional(InstalledReport),
  /** Of a server that is an MCP bundle, and only there. */
  bundle: Type.Optional(BundleReport),
  /** Of a server out of a git repository, and only there. */
  git: Type.Optional(GitReport),
  surface: Closed({
    digest: Digest,
    protocolVersion: Type.String(),
    tools: Type.Array(Type.String()),
    prompts: Type.Integer({ minimum: 0 }),
    resources: Type.Integer({ minimum: 0 }),
    volatile: Type.Array(Type.String()),
  }),
  /** Connections the server tried while it was observed without a network. */
  egressTried: Type.Array(Type.String()),
  /** Absent in reports from before tools were called. */
  behaviour: Type.Optional(BehaviourSummary),
  baseline: Type.Union([Type.Null(), Closed({ name: Type.String(), version: Type.String() })]),
  checks: Type.Array(CheckResult, { minItems: 1 }),
  /** Absent in reports of a remote server, and in those from before it was looked at. */
  origin: Type.Optional(Origin),
  /** `trial`: the registry runs with an approval threshold of one. */
  trial: Type.Boolean(),
  evidence: Type.Record(Type.String(), Digest),
  /** Of a report whose checks were judged again later, from the evidence of this other one: nothing was asked or started. */
  again: Type.Optional(Closed({ report: Digest, at: Instant })),
});
export type Report = Static<typeof Report>;
