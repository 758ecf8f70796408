import type { AuditRecord } from '../../schemas/audit.ts';
import type { Json } from '../../schemas/common.ts';
import { type Stage, say } from './stage.ts';

interface Known {
  readonly version: string;
  readonly secret: string;
  readonly began: Date;
}

/** After the incident: five questions that nobody could answer before, put to the audit. */
export async function fiveQuestions(stage: Stage, known: Known): Promise<void> {
  const { company } = stage;
  const { records } = (await company.must('alice', 'audit', '--limit', '1000')) as unknown as {
    records: AuditRecord[];
  };
  const calls = records.filter(
    (record) => record.body.kind === 'request.forwarded' && record.body.method === 'tools/call',
  );
  const distinct = (values: readonly (string | undefined)[]): string =>
    [...new Set(values.filter((value) => value !== undefined))].sort().join(', ');
  const when = distinct(calls.map(({ body }) => body.at));
  // A story may be told past midnight.
  const [first = '', today = ''] = [known.began, new Date()].map((date) => date.toISOString().slice(0, 10));
  const answers: readonly (readonly [string, string, string])[] = [
    [
      'which servers were active',
      distinct(calls.map(({ body }) => `${body.subject?.server}@${body.subject?.version}`)),
      known.version,
    ],
    [
      'which tools were called',
      distinct(calls.map(({ body }) => body.target)),
      'create_entities, read_graph',
    ],
    [
      'what data was touched',
      distinct([
        ...calls.map(({ body }) => `${body.target} ${JSON.stringify(body.arguments as Json)}`),
        ...records.filter((r) => r.body.kind === 'egress.refused').flatMap((r) => r.body.data ?? []),
      ]),
      known.secret,
    ],
    ['when', when, when.includes(first) ? first : today],
    ['who approved it', distinct(calls.flatMap(({ body }) => body.subject?.approvedBy ?? [])), 'alice, bob'],
  ];
  for (const [question, found, holds] of answers)
    say(stage, `the audit answers: ${question}`, holds, {
      text: found.slice(0, 300),
      ok: found.includes(holds),
    });
}
