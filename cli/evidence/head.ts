/** The head of evidence: the roots from a pin, and a cut of the log that the newest checkpoint covers. */
import { assertGrew, type OpenedCheckpoint, openCheckpoint } from '../../runtime/trust/checkpoint.ts';
import {
  assertFollows,
  assertOwnThreshold,
  CLOCK_SKEW_MS,
  openRoot,
  type ReadRoot,
  type RootPin,
  readRoot,
} from '../../runtime/trust/root.ts';
import { LockkeeperError, refusing } from '../../schemas/errors.ts';
import type { EvidenceFile, Proved } from '../../schemas/evidence.ts';
import { type GrowingTree, growingTree } from '../../schemas/growing.ts';
import { digestOf } from '../../schemas/json.ts';
import { type Logged, logLeaf, rootSubject } from '../../schemas/log.ts';
import { emptyRoot, verifyInclusion } from '../../schemas/merkle.ts';
import type { Checkpoint } from '../../schemas/note.ts';
import type { Root } from '../../schemas/root.ts';
import type { Steps } from './steps.ts';

export interface Head {
  readonly file: EvidenceFile;
  readonly newest: OpenedCheckpoint;
  readonly begin: Checkpoint;
  readonly end: Checkpoint;
  /** The log at `begin`; entries are added to it. */
  readonly tree: GrowingTree;
  readonly roots: readonly LoggedRoot[];
  /** Throws LOG_INCLUSION unless it is in the newest checkpoint, as this. */
  assertProved(proved: Proved, as: Logged): void;
}

export interface LoggedRoot {
  readonly read: ReadRoot;
  readonly index: number;
  readonly digest: string;
}

/** Steps 2 to 4. */
export function openHead(file: EvidenceFile, pin: RootPin, steps: Steps): Head {
  const { head, exportedAt } = file;
  steps.at(2);
  const reads = head.roots.map(({ envelope }) => readRoot(envelope));
  const newestRoot = chainRoots(reads, pin, new Date(exportedAt));
  steps.at(3);
  const newest = openCheckpoint(head.checkpoints.newest, newestRoot.log);
  const witnesses = [...newest.witnesses.keys()].join(', ');
  steps.found(
    3,
    `${newest.size} entries of ${newest.origin}, ${witnesses ? `cosigned by ${witnesses}` : 'no witness asked for'}`,
  );
  assertSeenBefore(newest, exportedAt);
  steps.at(2);
  const assertProved: Head['assertProved'] = (proved, as) => proveIn(newest, proved, as);
  const roots = head.roots.map(({ envelope, logged }, at): LoggedRoot => {
    const read = reads[at] ?? readRoot(envelope);
    const digest = digestOf(envelope);
    assertProved(logged, { kind: 'root', subject: rootSubject(read.root), digest });
    return { read, index: logged.index, digest };
  });
  assertRising(roots);
  steps.found(2, `versions 1 to ${newestRoot.version}, judged as of ${exportedAt}`);
  steps.at(4);
  return { file, newest, roots, assertProved, ...cut(file, newest, { reads, steps }) };
}

/** Roots are judged as of the export: what witnesses saw by then was not exported before. */
function assertSeenBefore({ witnesses }: OpenedCheckpoint, exportedAt: string): void {
  const latest = Math.max(0, ...witnesses.values()) * 1000;
  if (latest <= Date.parse(exportedAt) + CLOCK_SKEW_MS) return;
  throw incomplete(
    `a checkpoint seen before the export at ${exportedAt}`,
    `one seen at ${new Date(latest).toISOString()}`,
  );
}

/** From version 1 on, each signed by the one before it; from the pin to the newest as everywhere. */
function chainRoots(reads: readonly ReadRoot[], pin: RootPin, at: Date): Root {
  const envelopes = reads.map(({ envelope }) => envelope);
  const newest = reads.at(-1);
  const root = envelopes.at(-1);
  if (!newest || !root || reads[0]?.root.version !== 1)
    throw incomplete('every root from version 1 on', 'fewer');
  openRoot({ root, rootChain: envelopes.slice(0, -1) }, pin, at);
  for (const [index, read] of reads.entries()) {
    const date = new Date(read.root.issuedAt);
    const before = reads[index - 1];
    if (before) assertFollows(before, read, date);
    assertOwnThreshold(read, date);
  }
  return newest.root;
}

/** A root comes into force where the log has it, each after the one before. */
function assertRising(roots: readonly LoggedRoot[]): void {
  const late = roots.find(({ index }, at) => index <= (roots[at - 1]?.index ?? -1));
  if (late)
    throw incomplete(
      'roots in the log in the order of their versions',
      `version ${late.read.root.version} before an earlier one`,
    );
}

function proveIn({ size, root }: OpenedCheckpoint, { entry, index, proof }: Proved, as: Logged): void {
  const same = entry.kind === as.kind && entry.subject === as.subject && entry.digest === as.digest;
  const hashes = proof.map(hash);
  if (same && verifyInclusion({ index, size, leaf: logLeaf(entry), proof: hashes, root })) return;
  throw new LockkeeperError('LOG_INCLUSION', {
    expected: `the ${as.kind} ${as.subject} with ${as.digest} in the log of ${size} entries`,
    found: same ? 'a proof that does not fit' : `a proof of the ${entry.kind} ${entry.subject}`,
    next: 'Do not rely on this archive; have it exported again, and tell your security team if it stays so',
  });
}

function hash(text: string): Buffer {
  return Buffer.from(text, 'base64');
}

interface Under {
  readonly reads: readonly ReadRoot[];
  readonly steps: Steps;
}

function cut(
  file: EvidenceFile,
  newest: OpenedCheckpoint,
  under: Under,
): Pick<Head, 'begin' | 'end' | 'tree'> {
  const { from, to, checkpoints, edge, growth } = file.head;
  const begin = checkpoints.begin === null ? null : openOld(checkpoints.begin, under);
  const end =
    checkpoints.end === checkpoints.newest ? { ...newest, threshold: 0 } : openOld(checkpoints.end, under);
  const first: Checkpoint = begin ?? { origin: newest.origin, size: 0, root: emptyRoot() };
  if (first.size > 0) assertGrew(first, end, growth.end.map(hash));
  assertGrew(end, newest, growth.newest.map(hash));
  const tree = growingTree(first.size, edge.map(hash));
  if (!tree?.root().equals(first.root))
    throw incomplete(`subtrees with the root of the log at ${first.size}`, 'others');
  const since = begin === null ? 'the beginning of the log' : timeOf(begin, { limit: from, before: true });
  const until =
    end.note === newest.note ? `the newest checkpoint` : timeOf(end, { limit: to, before: false });
  under.steps.found(4, `entries ${first.size} to ${end.size}: from ${since} to ${until}`);
  return { begin: first, end, tree };
}

interface Old extends OpenedCheckpoint {
  /** Cosignatures that the root of those days asked for. */
  readonly threshold: number;
}

/** Under the newest root that takes it: log keys and witnesses of earlier days were named by earlier roots. */
function openOld(note: string, { reads }: Under): Old {
  let refusal: unknown = null;
  for (const { root } of [...reads].reverse()) {
    try {
      return { ...openCheckpoint(note, root.log), threshold: root.log.threshold };
    } catch (error) {
      refusal ??= error;
    }
  }
  throw refusal;
}

/** Where witnesses say when, they have to have seen it on the right side of the period's edge. */
function timeOf(
  { witnesses, threshold }: Old,
  { limit, before }: { limit: string; before: boolean },
): string {
  if (threshold === 0) return `${limit} by the registry’s word, as no witness was asked for`;
  const edge = Date.parse(limit) / 1000;
  const skew = CLOCK_SKEW_MS / 1000;
  const right = [...witnesses].filter(([, time]) => (before ? time <= edge + skew : time >= edge - skew));
  const times = right.map(([name, time]) => `${name} at ${new Date(time * 1000).toISOString()}`).join(', ');
  if (right.length >= threshold) return `a checkpoint seen by ${times}`;
  const side = before ? 'before' : 'after';
  throw incomplete(`a checkpoint that ${threshold} witnesses saw ${side} ${limit}`, times || 'none that was');
}

/** What was logged and is not here, or the other way round. */
export const incomplete = refusing(
  'EVIDENCE_INCOMPLETE',
  'Do not rely on this archive; have it exported again, and tell your security team if it stays so',
);
