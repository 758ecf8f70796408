import { resolve } from 'node:path';
import { readJournal } from '../../runtime/journal/journal.ts';
import { remarksOf } from '../../runtime/policy/remarks.ts';
import { counted } from '../../scanner/text.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { parseFile } from '../../schemas/json.ts';
import { PolicyTest } from '../../schemas/policy-test.ts';
import { assertValid } from '../../schemas/validate.ts';
import { type Command, type Context, option, type Result, text, type Values } from '../command.ts';
import { clip, plain, table } from '../output.ts';
import { type CaseOutcome, runCases } from '../policy/cases.ts';
import { type PolicyHere, policyHere } from '../policy/here.ts';
import { type Difference, Replay, type Replayed } from '../policy/replay.ts';
import { readOr } from '../project.ts';

/** Of a file of cases, bytes. */
const MAX_CASES_BYTES = 16 * 1024 * 1024;
/** Rows of a replay that a person is shown. */
const SHOWN = 100;

export const policy: Command = {
  summary: 'check lockkeeper.policy, show it as Cedar, test it, replay recorded calls',
  words: 'check | show | test FILE | replay',
  options: {
    policy: option.text('another file than lockkeeper.policy in the project'),
    journal: option.text('replay: the folder of journals to read (default: those of this machine)'),
  },
  examples: [
    'lk policy check',
    'lk policy show',
    'lk policy test cases.json',
    'lk policy replay --policy changed.policy',
  ],
  arity: [1, 2],
  async run(context, [verb = '', file], values) {
    if (verb === 'test' && file !== undefined) return test(context, file, values);
    const act = Object.hasOwn(VERBS, verb) && file === undefined ? VERBS[verb] : undefined;
    if (act) return act(context, values);
    throw new LockkeeperError('USAGE', {
      expected: `lk policy ${policy.words}`,
      found: quote([verb, file].filter((word) => word !== undefined).join(' ')),
      next: 'See: lk policy --help',
    });
  },
};

const VERBS: Readonly<Record<string, (context: Context, values: Values) => Promise<Result>>> = {
  check,
  show,
  replay,
};

async function check(context: Context, values: Values): Promise<Result> {
  const here = await policyHere(context, values);
  const { compiled, path, digest } = here;
  const remarks = remarksOf(compiled, { ...here, now: context.now() });
  const rows = remarks.map(
    ({ line, text: said }) => `${line === 0 ? 'warning' : `line ${line}`}: ${plain(said)}`,
  );
  const counts = `${counted(compiled.parsed.rules.length, 'line')}, ${compiled.policies.length} Cedar policies`;
  const next = here.locked === digest ? 'The lock carries exactly this policy.' : 'Next: lk lock';
  return {
    data: {
      path,
      digest,
      locked: here.locked,
      lines: compiled.parsed.rules.length,
      policies: compiled.policies.length,
      warnings: remarks,
    },
    text: [
      `${context.paint.green('understood')}: ${plain(path)}, ${counts}.`,
      ...rows.map(context.paint.yellow),
      next,
    ].join('\n'),
  };
}

async function show(context: Context, values: Values): Promise<Result> {
  const { compiled, digest } = await policyHere(context, values);
  const policies = compiled.policies.map(({ id, line, rule, cedar }) => ({ id, line, rule, cedar }));
  return {
    data: { digest, policies },
    text: policies
      .map(({ rule, cedar }) => `// ${plain(rule)}\n${cedar.split('\n').map(plain).join('\n')}`)
      .join('\n\n'),
  };
}

async function test(context: Context, file: string, values: Values): Promise<Result> {
  const cases = assertValid(PolicyTest, parseFile(await readCases(resolve(context.cwd, file)), file), file);
  const here = await policyHere(context, values);
  const outcomes = runCases(cases, { ...here, now: context.now() });
  const failed = outcomes.filter(({ ok }) => !ok);
  const rows = outcomes.map((one) => [one.ok ? 'ok' : 'WRONG', one.name, one.expected, one.found, one.rule]);
  const sum =
    failed.length === 0
      ? `All ${outcomes.length} cases are as expected.`
      : `${failed.length} of ${outcomes.length} cases are not as expected.`;
  return {
    data: { digest: here.digest, cases: outcomes satisfies CaseOutcome[], failed: failed.length },
    text: `${table(['', 'CASE', 'EXPECTED', 'FOUND', 'RULE'], rows)}\n\n${sum}`,
    exit: failed.length === 0 ? 0 : 3,
  };
}

function readCases(path: string): Promise<Buffer> {
  const missing = (): LockkeeperError =>
    new LockkeeperError('USAGE', {
      expected: 'a file of cases; see docs/policy.md',
      found: `no file ${quote(path, 200)}`,
      next: 'Name one that is there',
    });
  return readOr(path, missing, MAX_CASES_BYTES);
}

async function replay(context: Context, values: Values): Promise<Result> {
  const here: PolicyHere = await policyHere(context, values);
  const journal = text(values, 'journal');
  const run = new Replay(here.policy, here.entries);
  const root = journal === undefined ? context.home.journalDir : resolve(context.cwd, journal);
  for await (const { body } of readJournal(root)) run.take(body);
  const { result } = run;
  return { data: { digest: here.digest, ...result }, text: replayText(result) };
}

function replayText({ calls, same, differ, hidden, gone, differences }: Replayed): string {
  const rows = differences
    .slice(0, SHOWN)
    .map((one: Difference) => [
      one.at,
      clip(one.user, 40),
      one.server,
      clip(one.what, 60),
      one.was,
      one.now === 'hidden' ? 'rests on what is not recorded' : one.now,
      one.rule,
    ]);
  const left =
    differences.length > SHOWN ? `\n${differences.length - SHOWN} more; see them with --json.` : '';
  const shown =
    rows.length === 0
      ? ''
      : `${table(['WHEN', 'WHO', 'SERVER', 'WHAT', 'WAS', 'WOULD BE', 'RULE'], rows)}${left}\n\n`;
  const notes = [
    `${calls} recorded calls: ${same} as before, ${differ} would differ`,
    `${hidden} rest on what the journal hides or does not tell, ${gone} are of what is not in this lock.`,
  ];
  return `${shown}${notes.join('; ')}`;
}
