/** What happened: the runtimes' records, newest first. */
import type { AuditList } from '../schemas/api.ts';
import type { AuditRecord } from '../schemas/audit.ts';
import { ask } from './api.ts';
import { type Child, card, day, el, field, fold, form, shown, soft, table, tag, textOf } from './dom.ts';

const HEAD = ['When (UTC)', 'User', 'Server', 'Call', 'Arguments and data', 'Outcome'];
const SHOWN = 200;
const FILTERS = [
  ['user', 'User'],
  ['server', 'Server'],
  ['tool', 'Tool'],
  ['kind', 'Kind'],
] as const;

export async function audit(): Promise<HTMLElement> {
  const list = el('div');
  const show = async (values: FormData | null): Promise<void> => {
    const query = new URLSearchParams({ limit: String(SHOWN) });
    for (const [name] of FILTERS) {
      const wanted = values === null ? '' : textOf(values, name);
      if (wanted !== '') query.set(name, wanted);
    }
    const { records } = await ask<AuditList>(`/v1/audit?${query}`);
    list.replaceChildren(
      records.length > 0
        ? table(HEAD, records.map(rowOf))
        : soft('No record fits. Runtimes ship their journals as they run.'),
      records.length === SHOWN ? soft(`The newest ${SHOWN}; narrow the search to see others.`) : '',
    );
  };
  await show(null);
  const fields = FILTERS.map(([name, label]) => field({ name, label }));
  return el(
    'div',
    {},
    el('h1', {}, 'What happened'),
    card('', el('div', { class: 'filters' }, form(fields, { text: 'Search' }, show))),
    card('', list),
  );
}

function rowOf({ body }: AuditRecord): Child[] {
  const args = body.arguments === undefined ? null : shown(body.arguments);
  const outcome = [body.outcome, body.code].filter(Boolean).join(' ');
  return [
    el('time', { datetime: body.at, title: body.at }, day(body.at)),
    body.user,
    body.subject ? `${body.subject.server} ${body.subject.version}` : '-',
    el(
      'div',
      {},
      el('strong', {}, body.target ?? body.method ?? '-'),
      el('div', { class: 'soft' }, body.kind),
    ),
    el(
      'div',
      {},
      args === null
        ? null
        : args.length < 80
          ? el('code', {}, args)
          : fold([el('code', {}, `${args.slice(0, 60)}…`)], [el('pre', {}, args)]),
      body.data === undefined ? null : el('div', {}, body.data.join(' ')),
    ),
    outcome === ''
      ? '-'
      : el(
          'div',
          {},
          tag(body.outcome ?? 'ok', outcome),
          body.message === undefined ? null : el('div', { class: 'soft' }, body.message),
        ),
  ];
}
