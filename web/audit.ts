/** What happened: the runtimes' records, newest first; a call and its end are one row. */
import type { AuditList } from '../schemas/api.ts';
import type { AuditBody, AuditRecord } from '../schemas/audit.ts';
import { ask } from './api.ts';
import {
  type Child,
  card,
  el,
  field,
  fold,
  form,
  nameOf,
  shown,
  soft,
  table,
  tag,
  textOf,
  tick,
} from './dom.ts';

const HEAD = ['When (UTC)', 'User', 'Call', 'Outcome', 'Arguments and data'];
const SHOWN = 200;
/** Of the kinds of records, those that people ask for. */
const KINDS = [
  'request.forwarded',
  'request.refused',
  'response.refused',
  'egress.allowed',
  'egress.refused',
  'content.flagged',
  'surface.drift',
  'server.state',
  'quarantined',
] satisfies AuditBody['kind'][];
const FILTERS = [
  ['user', 'User'],
  ['server', 'Server'],
  ['tool', 'Tool'],
  ['kind', 'Kind', KINDS],
] as const;
/** Days in UTC: from the beginning of the one to the beginning of the other. */
const EDGES = [
  ['since', 'From (UTC)'],
  ['until', 'Before (UTC)'],
] as const;
/** Not what a person looks for first; lk audit leaves out the same. */
const QUIET = ['session.started', 'session.ended', 'notice.forwarded', 'request.finished'];

export async function audit(): Promise<HTMLElement> {
  const list = el('div', { class: 'audit' });
  const show = async (values: FormData | null): Promise<void> => {
    const query = new URLSearchParams({ limit: String(SHOWN) });
    for (const [name] of FILTERS) {
      const wanted = values === null ? '' : textOf(values, name);
      if (wanted !== '') query.set(name, wanted);
    }
    for (const [name] of EDGES) {
      const day = values === null ? '' : textOf(values, name);
      if (day !== '') query.set(name, `${day}T00:00:00.000Z`);
    }
    const { records } = await ask<AuditList>(`/v1/audit?${query}`);
    const all = values?.get('all') === 'on' || query.has('kind');
    const rows = rowsOf(records, all);
    list.replaceChildren(
      rows.length > 0 ? table(HEAD, rows) : soft('No record fits. Runtimes ship their journals as they run.'),
      records.length === SHOWN
        ? soft(`Out of the newest ${SHOWN} records; narrow the search to see others.`)
        : '',
    );
  };
  await show(null);
  const fields = [
    ...FILTERS.map(([name, label, words]) => field({ name, label, ...(words ? { words } : {}) })),
    ...EDGES.map(([name, label]) => field({ name, label, type: 'date' })),
    tick('all', 'Starts, ends and notices too'),
  ];
  return el(
    'div',
    {},
    el('h1', {}, 'What happened'),
    card('', el('div', { class: 'filters' }, form(fields, { text: 'Search' }, show))),
    card('', list),
  );
}

function rowsOf(records: readonly AuditRecord[], all: boolean): Child[][] {
  const ends = new Map(
    records.filter(({ body }) => body.kind === 'request.finished').map(({ body }) => [body.call, body]),
  );
  return records
    .filter(({ body }) => all || !isQuiet(body))
    .map(({ body }) => rowOf(body, body.kind === 'request.forwarded' ? ends.get(body.call) : undefined));
}

export function isQuiet({ kind, outcome }: AuditBody): boolean {
  return QUIET.includes(kind) || (kind === 'server.state' && outcome === 'ok');
}

function rowOf(body: AuditBody, end: AuditBody | undefined): Child[] {
  return [
    el('time', { datetime: body.at, title: body.at }, body.at.slice(0, 19).replace('T', ' ')),
    body.user,
    el(
      'div',
      {},
      el('strong', {}, body.target ?? body.method ?? lifeOf(body)),
      el('div', { class: 'soft' }, body.kind === 'request.forwarded' ? 'call' : body.kind),
      body.subject
        ? el(
            'div',
            { class: 'soft' },
            nameOf(body.subject.server),
            ` ${body.subject.version}, approved by ${body.subject.approvedBy.join(' and ')}`,
          )
        : null,
    ),
    outcomeOf(body, end),
    given(body),
  ];
}

/** Which state a server went to, of what tells its life. */
function lifeOf({ kind, detail }: AuditBody): string {
  if (kind !== 'server.state' || detail === null || typeof detail !== 'object' || Array.isArray(detail))
    return '-';
  return `${detail.from} -> ${detail.to}`;
}

function outcomeOf(body: AuditBody, end: AuditBody | undefined): Child {
  if (body.kind === 'request.forwarded' && end === undefined) return 'no end recorded';
  const { outcome, code, durationMs, message } = end ?? body;
  const rule = body.decision?.rule;
  if (outcome === undefined && message === undefined && rule === undefined) return null;
  const time = durationMs === undefined ? '' : ` ${durationMs.toFixed(0)} ms`;
  return el(
    'div',
    {},
    tag(outcome ?? 'ok', [outcome, code].filter(Boolean).join(' ') || 'told'),
    time,
    message === undefined ? null : el('div', { class: 'soft' }, message),
    rule === undefined || message?.includes(rule) ? null : el('div', { class: 'soft' }, rule),
  );
}

function given({ arguments: value, data }: AuditBody): Child {
  if (value === undefined && (data === undefined || data.length === 0)) return null;
  const args = value === undefined ? null : JSON.stringify(value);
  return el(
    'div',
    {},
    args === null
      ? null
      : args.length < 80
        ? el('code', {}, args)
        : fold([el('code', {}, `${args.slice(0, 60)}…`)], [el('pre', {}, shown(value))]),
    data === undefined ? null : el('div', {}, data.join(' ')),
  );
}
