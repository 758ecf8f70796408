/** One server through the whole product on a private copy: scan, approval, lock, gate, call, record. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { renderReport } from '../../scanner/render/report.ts';
import { counted, line, type Paint } from '../../scanner/text.ts';
import { AuditList } from '../../schemas/api.ts';
import type { AuditRecord } from '../../schemas/audit.ts';
import { isObject, type JsonObject } from '../../schemas/common.ts';
import { CODES, type Code, LockkeeperError, quote } from '../../schemas/errors.ts';
import { Report } from '../../schemas/finding.ts';
import { parseStrict } from '../../schemas/json.ts';
import { Problem } from '../../schemas/problem.ts';
import { Release } from '../../schemas/release.ts';
import { assertValid, isValid } from '../../schemas/validate.ts';
import { list, text, type Values } from '../command.ts';
import { auditTable } from '../commands/audit.ts';
import { minute } from '../output.ts';
import type { Company, Said } from './company.ts';

const REASON = 'tried alone, on a private copy';
const ALIAS = 'tried';

export interface Call {
  readonly name: string;
  readonly arguments: JsonObject;
}

export interface Tried {
  readonly release: Release;
  readonly report: Report;
  /** Checks that gate and were open: whoever approves says why that will do. */
  readonly accepted: readonly string[];
  readonly lock: { readonly version: number; readonly expires: string };
  /** The gate's own sentence. */
  readonly gate: string;
  readonly call: Call | null;
  /** The answer as it came. */
  readonly answer: JsonObject;
  /** Whether it is a refusal and no result. */
  readonly refused: boolean;
  readonly records: readonly AuditRecord[];
}

/** Null: none is wanted. Throws USAGE for arguments that are no object. */
export function wantedCall(values: Values): Call | null {
  const [name, given] = [text(values, 'call'), text(values, 'arguments')];
  const wrong = (expected: string, found: string): LockkeeperError =>
    new LockkeeperError('USAGE', { expected, found, next: 'See: lk try --help' });
  if (name === undefined && given !== undefined) throw wrong('--call TOOL beside --arguments', 'none');
  if (name === undefined) return null;
  let parsed: unknown;
  try {
    parsed = parseStrict(Buffer.from(given ?? '{}'));
  } catch {
    throw wrong('--arguments with a JSON object', quote(given ?? '', 200));
  }
  if (!isObject(parsed)) throw wrong('--arguments with a JSON object', quote(given ?? '', 200));
  return { name, arguments: parsed as JsonObject };
}

export interface Wish {
  readonly source: string;
  readonly values: Values;
  readonly call: Call | null;
  /** What is being done now. */
  readonly tell: (step: string) => void;
}

/** Throws what refused, in its own words. */
export async function play(company: Company, { source, values, call, tell }: Wish): Promise<Tried> {
  const must = async (person: string, ...words: string[]): Promise<JsonObject> =>
    dataOf(await company.lk(person, ...words), words);
  tell(`scanning ${source}`);
  const passed = ['arg', 'mount', 'egress'].flatMap((name) =>
    list(values, name).map((value) => `--${name}=${value}`),
  );
  const published = await must('admin', 'publish', source, ...passed);
  const release = assertValid(Release, published.release, 'the release');
  const report = assertValid(Report, published.report, 'the report');
  const open = report.checks.filter(({ gates, outcome }) => gates && outcome !== 'ok').map(({ id }) => id);
  tell(`approving ${release.name}`);
  await reviewer(company, must);
  const accepts = open.map((id) => `--accept=${id}=${REASON}`);
  await must('reviewer', 'approve', String(release.id), ...accepts);
  tell(`locking ${release.name}`);
  const mounts = await foldersOf(company, release);
  await must('admin', 'add', `${release.name}@${release.version}`, '--alias', ALIAS, ...mounts);
  await must('admin', 'lock');
  const gate = (await must('admin', 'ci')) as { sentence?: string; lock?: Tried['lock'] };
  tell(`starting ${release.name}`);
  const params = call === null ? {} : { name: call.name, arguments: call.arguments };
  const request = { method: call === null ? 'tools/list' : 'tools/call', params };
  const { answers, stderr } = await company.call('admin', ALIAS, [request]);
  const answer = answers.find(({ id }) => id === 1) ?? answers.at(-1);
  if (answer === undefined)
    throw failure(`lk run ${ALIAS} to answer`, stderr === '' ? 'nothing' : quote(stderr, 600));
  const { records } = assertValid(AuditList, await must('admin', 'audit', '--local'), 'the records');
  const lock = gate.lock ?? { version: 1, expires: '' };
  return {
    ...{ release, report, accepted: open, lock, gate: gate.sentence ?? '', call, answer, records },
    refused: answer.result === undefined,
  };
}

type Must = (person: string, ...words: string[]) => Promise<JsonObject>;

/** Somebody else than whoever asks for the release, with a key of their own. */
async function reviewer(company: Company, must: Must): Promise<void> {
  const { code } = await must('admin', 'people', 'add', 'reviewer', '--roles', 'reviewer');
  await must('reviewer', 'login', company.url, '--code', String(code));
  for (const verb of ['new', 'enrol']) await must('reviewer', 'keys', verb);
}

/** An empty folder for each that the release may be given. */
async function foldersOf(company: Company, { permissions }: Release): Promise<string[]> {
  const words: string[] = [];
  for (const [at, { target }] of permissions.mounts.entries()) {
    await mkdir(join(company.dir, 'project', `folder-${at}`), { recursive: true });
    words.push('--mount', `${target}=./folder-${at}`);
  }
  return words;
}

/** Throws what a verb refused with: the same code and the same sentence. */
export function dataOf({ exit, data, stderr }: Said, words: readonly string[]): JsonObject {
  const { error, release, code, sentence } = data;
  if (exit === 0) return data;
  if (isValid(Problem, error) && Object.hasOwn(CODES, error.code)) {
    const { expected, found, next } = error;
    throw new LockkeeperError(error.code as Code, { expected, found, next });
  }
  const { reason } = (release ?? {}) as { reason?: unknown };
  const kept = typeof reason === 'string' ? refusalIn(reason) : null;
  if (kept !== null) throw kept;
  throw failure(`lk ${words[0]} to go through`, String(reason ?? sentence ?? code ?? quote(stderr, 600)));
}

/** The refusal that a release was rejected with, out of its sentence; null where it is none. */
function refusalIn(reason: string): LockkeeperError | null {
  const [, expected, found, next, code = ''] =
    /^[^:]+: expected (.+?); found (.+)\. ([^.]+)\. \[([A-Z_]+)\]$/s.exec(reason) ?? [];
  if (expected === undefined || found === undefined || next === undefined) return null;
  return Object.hasOwn(CODES, code) ? new LockkeeperError(code as Code, { expected, found, next }) : null;
}

function failure(expected: string, found: string): LockkeeperError {
  return new LockkeeperError('SOURCE_INVALID', {
    expected,
    found: found.replace(/\.$/, ''),
    next: 'Look at it alone with: lk scan SOURCE',
  });
}

/** As a person reads it: the report, then one line for each step after it. */
export function told(tried: Tried, paint: Paint): string {
  const { release, report, accepted, lock, gate, call, answer, refused, records } = tried;
  const row = (word: string, what: string): string => `${paint.bold(word.padEnd(9))} ${line(what, 400)}`;
  const name = `${release.name} ${release.version}`;
  const open = accepted.length > 0 ? `, who took ${accepted.join(' and ')} upon themselves` : '';
  const { result, error } = answer as { result?: unknown; error?: { message?: string } };
  const asked = call === null ? 'tools/list' : call.name;
  return [
    renderReport(report, paint, { asked: release }),
    '',
    row('approved', `by a reviewer with a key of their own${open}`),
    row(
      'locked',
      `mcp.lock, until ${minute(lock.expires)} UTC: ${name}, ${counted(report.closure.artifacts, 'artifact')}`,
    ),
    row('gate', gate),
    row('called', `${asked}: ${refused ? (error?.message ?? 'no answer') : JSON.stringify(result)}`),
    ...(call === null ? [] : [row('recorded', 'before the server saw it:'), '', auditTable(records, false)]),
    '',
    'All of this was on a private copy, where you were everybody: it says nothing of the server but what the report says.',
    'With people, keys and two approvals: npm start, and docs/first-server.md.',
  ].join('\n');
}
