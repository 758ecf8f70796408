/** Verifying evidence offline, from front to end, one member at a time. */
import { type ArchiveMember, readArchive } from '../../runtime/store/archive.ts';
import type { RootPin } from '../../runtime/trust/root.ts';
import { counted } from '../../scanner/text.ts';
import { asLockkeeperError, type LockkeeperError, quote } from '../../schemas/errors.ts';
import {
  EarlierApproval,
  EvidenceFile,
  EVIDENCE_FILE as FILE,
  MANIFEST_FILE as MANIFEST,
  MAX_MEMBER,
  SIGNATURE_FILE as SIGNATURE,
  Thing,
} from '../../schemas/evidence.ts';
import { parseStrict, sha256 } from '../../schemas/json.ts';
import { LogEntry, logLeaf } from '../../schemas/log.ts';
import { assertValid } from '../../schemas/validate.ts';
import { type Head, incomplete, openHead } from './head.ts';
import type { Decisions } from './judged.ts';
import { assertManifest, assertSigner, describeManifest, readSignature } from './manifest.ts';
import { type Journals, newJournals, type Use } from './records.ts';
import { newSteps, type Step, type Steps } from './steps.ts';
import { type Judge, needsThing, newJudge, stepOf } from './things.ts';

export interface Verdict {
  readonly error: LockkeeperError | null;
  readonly steps: readonly Step[];
  readonly file: EvidenceFile | null;
  readonly decisions: Decisions | null;
  readonly used: ReadonlyMap<string, Use>;
  readonly counts: {
    readonly entries: number;
    readonly records: number;
    readonly inPeriod: number;
    readonly journals: number;
  };
  /** Whose key signed the manifest: its id, and the person where a root of the archive names one. */
  readonly signedBy: { readonly keyid: string; readonly person: string | null } | null;
}

export interface Expected {
  readonly pin: (file: EvidenceFile) => Promise<RootPin>;
  /** The key that must have signed the manifest, when one must. */
  readonly signedBy: string | undefined;
  readonly progress: (line: string) => void;
}

export interface State {
  readonly steps: Steps;
  readonly head: Head;
  readonly judge: Judge;
  readonly journals: Journals;
  readonly members: { path: string; size: number; sha256: string }[];
  /** Entries whose things are still to come, in order. */
  readonly waiting: { entry: LogEntry; index: number }[];
  entries: number;
  manifest: Buffer | null;
  signedBy: Verdict['signedBy'];
}

/** Never throws what is wrong with the archive: that is the verdict. */
export async function verifyEvidence(path: string, expected: Expected): Promise<Verdict> {
  const steps = newSteps();
  let state: State | null = null;
  const verdict = (error: LockkeeperError | null): Verdict => ({
    error,
    steps: steps.list(error),
    file: state?.head.file ?? null,
    decisions: state?.judge.decisions ?? null,
    used: state?.journals.used ?? new Map(),
    counts: {
      entries: state?.entries ?? 0,
      ...(state?.journals.counts ?? { records: 0, inPeriod: 0, journals: 0 }),
    },
    signedBy: state?.signedBy ?? null,
  });
  try {
    for await (const member of readArchive(path)) {
      steps.at(1);
      state = state === null ? await begin(member, steps, expected) : await next(member, state, expected);
      steps.at(1);
    }
    if (state === null) throw incomplete(FILE, 'an empty archive');
    finish(state, expected);
    return verdict(null);
  } catch (thrown) {
    return verdict(asLockkeeperError(thrown));
  }
}

async function begin(member: ArchiveMember, steps: Steps, expected: Expected): Promise<State> {
  if (member.path !== FILE) throw incomplete(`${FILE} first`, quote(member.path));
  const bytes = await member.read(MAX_MEMBER);
  const file = assertValid(EvidenceFile, parseStrict(bytes, { maxBytes: MAX_MEMBER }), FILE);
  steps.at(2);
  const head = openHead(file, await expected.pin(file), steps);
  const { path, size } = member;
  return {
    steps,
    head,
    judge: newJudge(head, steps),
    journals: newJournals(head),
    members: [{ path, size, sha256: sha256(bytes) }],
    waiting: [],
    entries: 0,
    manifest: null,
    signedBy: null,
  };
}

async function next(member: ArchiveMember, state: State, expected: Expected): Promise<State> {
  const { path, size } = member;
  const bytes = await member.read(MAX_MEMBER);
  if (path === SIGNATURE) {
    state.steps.at(10);
    readSignature(bytes, state);
    return state;
  }
  if (state.manifest !== null) throw incomplete('nothing after the manifest but its signature', quote(path));
  if (path === MANIFEST) {
    state.steps.at(10);
    assertManifest(bytes, state);
    state.manifest = bytes;
    return state;
  }
  state.members.push({ path, size, sha256: sha256(bytes) });
  const folder = path.split('/')[0];
  if (folder === 'log') assertChunkDone(state);
  const take = folder === undefined || !Object.hasOwn(LINES, folder) ? undefined : LINES[folder];
  if (!take) throw incomplete('members of evidence', quote(path));
  for (const line of linesOf(bytes, path)) take(parseStrict(line), state);
  expected.progress(`verifying: ${state.entries} entries, ${state.journals.counts.records} records`);
  return state;
}

function* linesOf(bytes: Buffer, path: string): Generator<string> {
  let from = 0;
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, from)) {
    yield bytes.toString('utf8', from, at);
    from = at + 1;
  }
  if (from !== bytes.length) throw incomplete(`whole lines in ${quote(path)}`, 'one that was cut');
}

const LINES: Readonly<Record<string, (value: unknown, state: State) => void>> = {
  log: logLine,
  earlier: (value, { judge, steps }) => {
    steps.at(8);
    judge.earlier(assertValid(EarlierApproval, value, 'an earlier approval'));
  },
  things: (value, { judge, steps, waiting }) => {
    steps.at(5);
    const thing = assertValid(Thing, value, 'a thing that was logged');
    const named = waiting.shift();
    if (named) steps.at(stepOf(named.entry));
    if (named?.index !== thing.index)
      throw incomplete(
        named ? `the ${named.entry.kind} of entry ${named.index}` : 'no more things',
        `that of entry ${thing.index}`,
      );
    judge.thing(named.entry, named.index, thing);
  },
  audit: (value, { journals, steps }) => {
    steps.at(9);
    journals.line(value);
  },
};

function logLine(value: unknown, state: State): void {
  const { steps, head, journals, waiting } = state;
  steps.at(5);
  const entry = assertValid(LogEntry, value, 'an entry of the log');
  const index = head.tree.size;
  if (index >= head.end.size) throw incomplete(`${head.end.size} entries`, 'more');
  head.tree.append(logLeaf(entry));
  state.entries++;
  if (needsThing(entry)) waiting.push({ entry, index });
  if (entry.kind === 'audit') journals.expect(entry);
  if (entry.kind !== 'root') return;
  steps.at(2);
  if (!head.roots.some((root) => root.index === index && root.digest === entry.digest))
    throw incomplete(`the root of entry ${index}, ${entry.subject}`, 'none');
}

function assertChunkDone({ steps, waiting, journals }: State): void {
  const [named] = waiting;
  if (named) {
    steps.at(stepOf(named.entry));
    throw incomplete(
      `the ${named.entry.kind} of ${named.entry.subject}, which is entry ${named.index} of the log`,
      'none',
    );
  }
  steps.at(9);
  journals.assertDone();
}

function finish(state: State, { signedBy }: Expected): void {
  const { steps, head, journals, judge, manifest } = state;
  assertChunkDone(state);
  steps.at(5);
  if (head.tree.size !== head.end.size || !head.tree.root().equals(head.end.root))
    throw incomplete(
      `${head.end.size} entries with root ${head.end.root.toString('base64')}, as the checkpoint says`,
      `${head.tree.size} with root ${head.tree.root().toString('base64')}`,
    );
  steps.at(10);
  if (manifest === null) throw incomplete(`${MANIFEST} at the end`, 'none');
  assertSigner(state, signedBy);
  const { submissions, verdicts, approvals, calls, rejections, revocations, locks } = judge.decisions;
  const { records, inPeriod, journals: chains } = journals.counts;
  steps.found(1, counted(state.members.length + 1, 'member'));
  steps.found(5, state.entries === 1 ? '1 entry' : `${state.entries} entries`);
  steps.found(6, listed([submissions.length, 'submission'], [verdicts.length, 'report']));
  steps.found(
    7,
    listed(
      [approvals.length, 'approval'],
      [calls.length, 'call approval'],
      [rejections.length, 'rejection'],
      [revocations.length, 'revocation'],
    ),
  );
  steps.found(8, listed([locks.length, 'lock']));
  steps.found(
    9,
    `${listed([records, 'record'], [chains, 'journal'])}; ${inPeriod} of the records from inside the period`,
  );
  steps.found(10, describeManifest(state));
}

/** 1 lock, 2 approvals. */
export function listed(...items: readonly (readonly [number, string])[]): string {
  return items.map(([count, noun]) => counted(count, noun)).join(', ');
}
