/** Things that log entries name, judged under the root that was in force where the log has them. */
import { isDeepStrictEqual } from 'node:util';
import { type OpenedApproval, openApproval } from '../../runtime/trust/approval.ts';
import { openCallApproval } from '../../runtime/trust/call.ts';
import { openRevocation } from '../../runtime/trust/revocation.ts';
import { type TrustedRoot, trustedAt } from '../../runtime/trust/root.ts';
import { envelopeDigest } from '../../schemas/approval.ts';
import { callSubject } from '../../schemas/call.ts';
import type { Envelope } from '../../schemas/dsse.ts';
import type { EarlierApproval, Thing } from '../../schemas/evidence.ts';
import { Report } from '../../schemas/finding.ts';
import { digestOf, parseStrict, sha256 } from '../../schemas/json.ts';
import type { LogEntry } from '../../schemas/log.ts';
import { releaseSubject } from '../../schemas/log.ts';
import { Revocation } from '../../schemas/revocation.ts';
import { assertValid } from '../../schemas/validate.ts';
import { type Head, incomplete, type LoggedRoot } from './head.ts';
import { type At, assertDigest, assertSubject, type Decisions, type Named, other } from './judged.ts';
import { judgeLock } from './locks.ts';
import type { Steps } from './steps.ts';

export interface Judge {
  readonly decisions: Decisions;
  earlier(approval: EarlierApproval): void;
  /** Throws what is wrong with it; where it belongs is told to the steps. */
  thing(entry: LogEntry, index: number, thing: Thing): void;
}

export function newJudge(head: Head, steps: Steps): Judge {
  const approvals = new Map<string, Envelope>();
  const decisions: Decisions = {
    submissions: [],
    verdicts: [],
    approvals: [],
    calls: [],
    rejections: [],
    revocations: [],
    locks: [],
  };
  const at: At = { head, approvals, decisions };
  return {
    decisions,
    earlier: ({ logged, envelope }) => {
      steps.at(8);
      const { subject } = logged.entry;
      head.assertProved(logged, { kind: 'approval', subject, digest: envelopeDigest(envelope) });
      if (logged.index >= head.begin.size)
        throw incomplete('approvals from before the period', `one of entry ${logged.index}`);
      approvals.set(envelopeDigest(envelope), envelope);
    },
    thing: (entry, index, thing) => {
      steps.at(stepOf(entry));
      const { index: _, ...parts } = thing;
      const part = PART[entry.kind];
      if (!part || !isDeepStrictEqual(Object.keys(parts), [part]))
        throw other(entry, 'something of another kind');
      judges[part]?.({ entry, index, thing }, at);
    },
  };
}

type Part = Exclude<keyof Thing, 'index'>;
const PART: Readonly<Partial<Record<LogEntry['kind'], Part>>> = {
  submission: 'submission',
  verdict: 'report',
  approval: 'approval',
  call: 'call',
  rejection: 'rejection',
  revocation: 'revocation',
  lock: 'lock',
};
const STEP: Readonly<Partial<Record<LogEntry['kind'], number>>> = {
  submission: 6,
  verdict: 6,
  approval: 7,
  call: 7,
  rejection: 7,
  revocation: 7,
  lock: 8,
};

/** The step that an entry's thing belongs to. */
export function stepOf({ kind }: LogEntry): number {
  return STEP[kind] ?? 5;
}

/** Does an entry of this kind name a thing that has to stand beside it? */
export function needsThing({ kind }: LogEntry): boolean {
  return PART[kind] !== undefined;
}

const judges: Readonly<Record<Part, (named: Named, at: At) => void>> = {
  submission: ({ entry, thing }, { decisions }) => {
    assertDigest(entry, digestOf(thing.submission));
    decisions.submissions.push(entry.subject);
  },
  report: ({ entry, thing }, { decisions }) => {
    const text = thing.report ?? '';
    assertDigest(entry, sha256(text));
    const { release, checks } = assertValid(Report, parseStrict(text), 'a scan report');
    assertSubject(entry, `${release.name}@${release.version}`);
    const of = (outcome: string): string[] =>
      checks.filter((check) => check.outcome === outcome).map(({ id }) => id);
    decisions.verdicts.push({
      release: entry.subject,
      report: entry.digest,
      fired: of('fired'),
      unknown: of('unknown'),
    });
  },
  approval,
  call,
  rejection: ({ entry, thing }, { decisions }) => {
    const { reason, person } = thing.rejection ?? { reason: '', person: '' };
    assertDigest(entry, digestOf({ reason, person }));
    decisions.rejections.push({ release: entry.subject, person, reason });
  },
  revocation,
  lock: judgeLock,
};

/** The root in force at an index, and the one before it: something may have been on its way as the root changed. */
function rootsAt({ roots }: Head, index: number): LoggedRoot[] {
  return roots
    .filter((root) => root.index < index)
    .slice(-2)
    .reverse();
}

function underRoots<T>(
  head: Head,
  { index, at }: { index: number; at: string },
  open: (trusted: TrustedRoot) => T,
): T {
  let refusal: unknown = incomplete('a root in force', 'none');
  for (const [tries, { read }] of rootsAt(head, index).entries()) {
    const date = new Date(Math.max(Date.parse(at), Date.parse(read.root.issuedAt)));
    try {
      return open(trustedAt(read, date));
    } catch (error) {
      if (tries === 0) refusal = error;
    }
  }
  throw refusal;
}

/** When it says that it was signed, before it is believed. */
function dateIn(envelope: Envelope, field: 'notBefore' | 'at'): string {
  const statement = parseStrict(Buffer.from(envelope.payload, 'base64')) as {
    predicate?: Record<string, unknown>;
  };
  return String(statement?.predicate?.[field] ?? '');
}

function approval({ entry, index, thing }: Named, { head, approvals, decisions }: At): void {
  const envelope = thing.approval as Envelope;
  assertDigest(entry, envelopeDigest(envelope));
  const at = dateIn(envelope, 'notBefore');
  const opened: OpenedApproval = underRoots(head, { index, at }, (trusted) =>
    openApproval(envelope, trusted),
  );
  const { server, environments } = opened.approval.predicate;
  assertSubject(entry, `${server.name}@${server.version}`);
  approvals.set(entry.digest, envelope);
  decisions.approvals.push({
    release: entry.subject,
    person: opened.person,
    digest: entry.digest,
    environments,
  });
}

function call({ entry, index, thing }: Named, { head, decisions }: At): void {
  const envelope = thing.call as Envelope;
  assertDigest(entry, envelopeDigest(envelope));
  const at = dateIn(envelope, 'at');
  const { approval: said, person } = underRoots(head, { index, at }, (trusted) =>
    openCallApproval(envelope, trusted),
  );
  const { call: facts } = said.predicate;
  assertSubject(entry, callSubject(facts));
  const { server, version, tool, user } = facts;
  decisions.calls.push({ call: entry.subject, release: `${server}@${version}`, tool, user, person });
}

function revocation({ entry, index, thing }: Named, { head, decisions }: At): void {
  const { statement, envelope } = thing.revocation ?? { statement: null, envelope: null };
  assertDigest(entry, envelope ? envelopeDigest(envelope) : digestOf(statement));
  const said = envelope
    ? underRoots(head, { index, at: dateIn(envelope, 'at') }, (trusted) => openRevocation(envelope, trusted))
        .revocation
    : assertValid(Revocation, statement, 'the revocation');
  const { revokedBy: person, reason } = said.predicate;
  assertSubject(entry, releaseSubject(said.predicate));
  decisions.revocations.push({ release: entry.subject, person, reason, signed: envelope !== null });
}
