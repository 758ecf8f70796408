import { readJournal } from '../../runtime/journal/journal.ts';
import { AuditList, AuditQuery } from '../../schemas/api.ts';
import { type AuditBody, AuditKind, type AuditRecord } from '../../schemas/audit.ts';
import { isObject } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { aliasOf } from '../../schemas/intent.ts';
import { assertValid } from '../../schemas/validate.ts';
import { type Command, type Context, flag, instant, oneOf, option, text, type Values } from '../command.ts';
import { clip, table } from '../output.ts';
import { answersTo, findRelease } from '../releases.ts';

const DEFAULT_LIMIT = 200;
const KINDS = AuditKind.anyOf.map(({ const: kind }) => kind);

export const audit: Command = {
  summary: 'show who called which tool with what, when and how it ended',
  words: '',
  options: {
    server: option.text('only this server'),
    tool: option.text('only this tool, prompt or resource'),
    user: option.text('only this person'),
    kind: option.text('only this kind, such as request.refused or egress.refused'),
    since: option.text('from this day, or instant in UTC: 2026-11-24, 2026-11-24T09:30'),
    until: option.text('up to its beginning, written so as well'),
    limit: option.text('at most this many records (default 200)'),
    all: option.flag('every record, also starts, ends, notices and what servers do well'),
    local: option.flag("read this machine's journals instead of the registry"),
  },
  examples: [
    'lk audit',
    'lk audit --tool read_text_file --since 2026-11-24',
    'lk audit --kind egress.refused --json',
  ],
  arity: [0, 0],
  async run(context, _words, values) {
    const query = queryOf(values);
    const limit = Number(query.limit);
    const records = flag(values, 'local')
      ? await readLocal(context, query)
      : await readRegistry(context, query);
    const more =
      records.length >= limit
        ? `\nOut of the newest ${limit} records; see more with --limit, or older ones with --until.`
        : '';
    const shown = records.length
      ? `${auditTable(records, flag(values, 'all'))}${more}${approvals(records)}`
      : 'No records fit.';
    return { data: { records }, text: shown };
  },
};

/** The filters, as the registry takes them and as this machine's journals are read. Throws USAGE and REQUEST_INVALID. */
function queryOf(values: Values): AuditQuery {
  const wanted = ['server', 'tool', 'user', 'kind'] as const;
  const given = [
    ...wanted.map((name) => [name, text(values, name)] as const),
    ...(['since', 'until'] as const).map((name) => [name, instant(values, name) ?? undefined] as const),
  ].filter(([, value]) => value !== undefined);
  const limit = text(values, 'limit') ?? String(DEFAULT_LIMIT);
  oneOf(values, 'kind', KINDS);
  if (!/^[1-9]\d{0,3}$/.test(limit))
    throw new LockkeeperError('USAGE', {
      expected: '--limit: a number from 1 to 9999',
      found: quote(limit),
      next: 'Correct it; older records are reached with --until',
    });
  return assertValid(AuditQuery, { ...Object.fromEntries(given), limit }, 'the filter', 'REQUEST_INVALID');
}

/** A server may be named by the last part of its name, as elsewhere. Throws NOT_FOUND where none has it, or several. */
async function readRegistry(context: Context, query: AuditQuery): Promise<AuditRecord[]> {
  const api = await context.api();
  if (query.server !== undefined && !query.server.includes('/'))
    query = { ...query, server: (await findRelease(api, query.server)).name };
  return (await api.call('auditRead', AuditList, { query })).records;
}

/** The newest of all journals; never more in memory than twice what is shown. */
async function readLocal(context: Context, query: AuditQuery): Promise<AuditRecord[]> {
  const limit = Number(query.limit);
  let found: AuditRecord[] = [];
  const newest = (): AuditRecord[] =>
    found
      .sort((a, b) => (a.body.at < b.body.at ? 1 : a.body.at > b.body.at ? -1 : b.seq - a.seq))
      .slice(0, limit);
  for await (const record of readJournal(context.home.journalDir)) {
    if (fits(record, query)) found.push(record);
    if (found.length >= limit * 2) found = newest();
  }
  return newest();
}

function fits({ body }: AuditRecord, { server, tool, user, kind, since, until }: AuditQuery): boolean {
  const is = (wanted: string | undefined, value: string | undefined): boolean =>
    wanted === undefined || wanted === value;
  return (
    (server === undefined || (body.subject !== null && answersTo({ name: body.subject.server }, server))) &&
    is(tool, body.target) &&
    is(user, body.user) &&
    is(kind, body.kind) &&
    (since === undefined || body.at >= since) &&
    (until === undefined || body.at < until)
  );
}

/** Not what a person looks for first: the rest of the protocol's traffic is shown with --all. */
const QUIET: ReadonlySet<AuditKind> = new Set([
  'session.started',
  'session.ended',
  'notice.forwarded',
  'request.finished',
]);

interface Row {
  readonly body: AuditBody;
  /** How the call ended, once it did. */
  readonly end: AuditBody | undefined;
}

export function isQuiet({ kind, outcome }: AuditBody): boolean {
  return QUIET.has(kind) || (kind === 'server.state' && outcome === 'ok');
}

/** A call and its end as one row. */
function rowsOf(records: readonly AuditRecord[], all: boolean): Row[] {
  const ends = new Map(
    records.filter(({ body }) => body.kind === 'request.finished').map(({ body }) => [body.call, body]),
  );
  return records
    .filter(({ body }) => all || !isQuiet(body))
    .map(({ body }) => ({ body, end: body.kind === 'request.forwarded' ? ends.get(body.call) : undefined }));
}

/** As people read it; what tells a call from another stands before what is long. */
export function auditTable(records: readonly AuditRecord[], all: boolean): string {
  const rows = rowsOf(records, all).map(({ body, end }) => [
    body.at.slice(0, 19).replace('T', ' '),
    body.user,
    body.kind === 'request.forwarded' ? 'call' : body.kind,
    body.target ?? body.method ?? lifeOf(body),
    outcomeOf(body, end),
    serverOf(body),
    body.arguments === undefined ? '-' : clip(JSON.stringify(body.arguments), 48),
    clip(body.data?.join(' ') || '-', 40),
    whyOf(body, end),
  ]);
  return table(['WHEN (UTC)', 'USER', 'WHAT', 'TOOL', 'OUTCOME', 'SERVER', 'ARGUMENTS', 'DATA', 'WHY'], rows);
}

/** What was said of how it ended, and the line of the policy that decided, where that is not in it already. */
function whyOf(body: AuditBody, end: AuditBody | undefined): string {
  const said = (end ?? body).message ?? '';
  const rule = body.decision?.rule ?? '';
  if (said.includes(rule)) return said;
  return said === '' ? rule : `${said} (${rule})`;
}

/** Who allowed what is in the table, to stand below it: each release once, with those whose approvals the runtime verified. */
export function approvals(records: readonly AuditRecord[]): string {
  const people = new Map<string, Set<string>>();
  for (const { subject } of records.map(({ body }) => body)) {
    if (subject === null) continue;
    const release = `${subject.server}@${subject.version}`;
    people.set(release, new Set([...(people.get(release) ?? []), ...subject.approvedBy]));
  }
  if (people.size === 0) return '';
  const rows = [...people].sort().map(([release, by]) => [release, [...by].sort().join(', ')]);
  return `\n\n${table(['RELEASE', 'APPROVED BY'], rows)}`;
}

/** With its alias where that says more than its name. */
function serverOf({ subject }: AuditBody): string {
  if (subject === null) return '-';
  const { alias, server, version } = subject;
  return `${alias === undefined || alias === aliasOf(server) ? '' : `${alias}: `}${server}@${version}`;
}

/** `STARTING -> READY`, of what tells the life of a server. */
function lifeOf({ kind, detail }: AuditBody): string {
  if (kind !== 'server.state' || !isObject(detail)) return '-';
  return `${detail.from} -> ${detail.to}`;
}

function outcomeOf(body: AuditBody, end: AuditBody | undefined): string {
  if (body.kind === 'request.forwarded' && !end) return 'no end recorded';
  const { outcome, code, durationMs } = end ?? body;
  const time = durationMs === undefined ? undefined : `${durationMs.toFixed(0)} ms`;
  return [outcome, code, time].filter((part) => part !== undefined).join(' ') || '-';
}
