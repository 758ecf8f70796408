import { readJournal, verifyJournal } from '../../runtime/journal/journal.ts';
import { AuditList } from '../../schemas/api.ts';
import type { AuditRecord } from '../../schemas/audit.ts';
import { type Command, type Context, flag, type Result, text, type Values } from '../command.ts';
import { clip, table } from '../output.ts';

export const audit: Command = {
  summary: 'show who called which tool with what, when, what it touched and how it ended',
  words: '[verify]',
  options: {
    server: { type: 'string' },
    tool: { type: 'string' },
    user: { type: 'string' },
    kind: { type: 'string' },
    since: { type: 'string' },
    until: { type: 'string' },
    limit: { type: 'string' },
    local: { type: 'boolean' },
  },
  optionHelp: {
    server: 'only this server',
    tool: 'only this tool, prompt or resource',
    user: 'only this person',
    kind: 'only this kind, such as request.refused or egress.refused',
    since: 'from this instant (2026-11-24T00:00:00.000Z)',
    until: 'up to this instant',
    limit: 'at most this many records (default 50)',
    local: "read this machine's journals instead of the registry",
  },
  examples: [
    'lk audit',
    'lk audit --tool read_text_file --since 2026-11-24T00:00:00.000Z',
    'lk audit --kind egress.refused --json',
    'lk audit verify',
  ],
  arity: [0, 1],
  async run(context, [verb], values) {
    if (verb === 'verify') return verifyLocal(context);
    const records = flag(values, 'local')
      ? await readLocal(context, values)
      : await readRegistry(context, values);
    return { data: { records }, text: records.length ? tableOf(records) : 'No records fit.' };
  },
};

async function readRegistry(context: Context, values: Values): Promise<AuditRecord[]> {
  const api = await context.api();
  const wanted = ['server', 'tool', 'user', 'kind', 'since', 'until', 'limit'] as const;
  const query = Object.fromEntries(wanted.map((name) => [name, text(values, name)]));
  return (await api.call('auditRead', AuditList, { query: { ...query, limit: query.limit ?? '50' } }))
    .records;
}

async function readLocal(context: Context, values: Values): Promise<AuditRecord[]> {
  const found: AuditRecord[] = [];
  for await (const record of readJournal(context.home.journalDir))
    if (fits(record, values)) found.push(record);
  found.sort((a, b) => (a.body.at < b.body.at ? 1 : a.body.at > b.body.at ? -1 : b.seq - a.seq));
  return found.slice(0, Number(text(values, 'limit') ?? 50));
}

function fits({ body }: AuditRecord, values: Values): boolean {
  const is = (name: string, value: string | undefined): boolean =>
    text(values, name) === undefined || text(values, name) === value;
  const since = text(values, 'since');
  const until = text(values, 'until');
  return (
    is('server', body.subject?.server) &&
    is('tool', body.target) &&
    is('user', body.user) &&
    is('kind', body.kind) &&
    (since === undefined || body.at >= since) &&
    (until === undefined || body.at < until)
  );
}

async function verifyLocal(context: Context): Promise<Result> {
  const result = await verifyJournal(context.home.journalDir);
  return {
    data: { conclusion: 'ok', ...result },
    text: `${context.paint.green('ok')}: ${result.records} records in ${result.journals} journals form unbroken chains.`,
  };
}

function tableOf(records: readonly AuditRecord[]): string {
  const rows = records.map(({ body }) => [
    body.at.slice(0, 19).replace('T', ' '),
    body.user,
    body.subject ? `${body.subject.server}@${body.subject.version}` : '-',
    body.kind,
    body.target ?? body.method ?? '-',
    body.arguments === undefined ? '-' : clip(JSON.stringify(body.arguments), 48),
    clip(body.data?.join(' ') || '-', 40),
    [body.outcome, body.code].filter(Boolean).join(' ') || '-',
  ]);
  return table(['WHEN (UTC)', 'USER', 'SERVER', 'WHAT', 'TOOL', 'ARGUMENTS', 'DATA', 'OUTCOME'], rows);
}
