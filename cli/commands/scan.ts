import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { toMarkdown } from '../../scanner/markdown.ts';
import { renderReport } from '../../scanner/render.ts';
import { toSarif } from '../../scanner/sarif.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import type { CheckResult } from '../../schemas/finding.ts';
import { parseStrict } from '../../schemas/json.ts';
import { DEFAULT_POLICY, Policy } from '../../schemas/policy.ts';
import { concludeAll, type Scan, type ScanTarget } from '../../schemas/scan.ts';
import { assertValid } from '../../schemas/validate.ts';
import { type Command, type Context, type Result, text, type Values } from '../command.ts';
import { plain, table } from '../output.ts';
import { readOr } from '../project.ts';
import { openScanning } from '../scan/scan.ts';
import { type Target, targetsOf } from '../scan/targets.ts';
import { trustGiven } from '../scan/trust.ts';

const EXIT = { ok: 0, refused: 3, unverified: 4 } as const;
const MAX_POLICY_BYTES = 1024 * 1024;

export const scan: Command = {
  summary: 'scan servers on this machine, without a registry and without an account',
  words: 'SOURCE|FOLDER|FILE …',
  options: {
    against: { type: 'string' },
    policy: { type: 'string' },
    'trust-root': { type: 'string', multiple: true },
    sarif: { type: 'string' },
    markdown: { type: 'string' },
    arg: { type: 'string', multiple: true },
    mount: { type: 'string', multiple: true },
    env: { type: 'string', multiple: true },
    secret: { type: 'string', multiple: true },
    egress: { type: 'string', multiple: true },
    memory: { type: 'string' },
  },
  optionHelp: {
    against: 'source of an earlier version: what is new since then is told, and gates',
    policy: 'file of a policy (schemas/json/policy.schema.json) that says which checks gate',
    'trust-root': 'NAME=FILE to verify signatures under: sigstore, npm; repeat (docs/provenance.md)',
    sarif: 'also write SARIF 2.1.0 to this file, for code scanning',
    markdown: 'also write Markdown to this file, for a comment',
    arg: 'argument the server is started with; repeat for more',
    mount: 'empty folder that it finds inside the sandbox: /data:ro or /data:rw; repeat',
    env: 'name of a variable that holds a placeholder; repeat',
    secret: 'name of a secret that holds a placeholder, as a file; repeat',
    egress: 'host:port it would be permitted; repeat. Nothing is reached while it is scanned',
    memory: 'memory limit in MiB (default 1024)',
  },
  examples: [
    'lk scan npm:@modelcontextprotocol/server-memory@2026.8.31',
    'lk scan pypi:mcp-server-time --json',
    'lk scan npm:@acme/server@1.4.0 --against npm:@acme/server@1.3.2',
    'lk scan .mcp.json --sarif lockkeeper.sarif',
  ],
  arity: [1, 100],
  async run(context, words, values) {
    const policy = await policyOf(context, values);
    const scanning = await openScanning(context, {
      policy,
      against: text(values, 'against'),
      trust: await trustGiven(context, values),
    });
    try {
      const wanted: Target[] = [];
      for (const word of words) wanted.push(...(await targetsOf(word, context.cwd, scanning.ask)));
      const targets: ScanTarget[] = [];
      for (const target of wanted) targets.push(await scanning.one(target, values));
      const told: Scan = {
        lockkeeper: 'scan/v1',
        conclusion: concludeAll(targets),
        gates: policy.scan.gates,
        targets,
      };
      await write(context, text(values, 'sarif'), () => `${JSON.stringify(toSarif(told), null, 2)}\n`);
      await write(context, text(values, 'markdown'), () => toMarkdown(told));
      return render(told, words, context);
    } finally {
      await scanning.close();
    }
  },
};

async function policyOf(context: Context, values: Values): Promise<Policy> {
  const path = text(values, 'policy');
  if (path === undefined) return DEFAULT_POLICY;
  const missing = (): LockkeeperError =>
    new LockkeeperError('USAGE', { expected: '--policy: a file', found: path, next: 'See: lk scan --help' });
  const bytes = await readOr(resolve(context.cwd, path), missing, MAX_POLICY_BYTES);
  return assertValid(Policy, parseStrict(bytes), path);
}

async function write(context: Context, path: string | undefined, make: () => string): Promise<void> {
  if (path !== undefined) await writeFile(resolve(context.cwd, path), make());
}

function render(told: Scan, words: readonly string[], context: Context): Result {
  const { paint } = context;
  const exit = EXIT[told.conclusion];
  if (told.targets.length === 0) {
    const none = `could not verify: no server in ${words.map(plain).join(', ')}: there was nothing to scan`;
    return { data: told, text: paint.yellow(none), exit };
  }
  const blocks = told.targets.map((one) => renderTarget(one, context));
  if (told.targets.length > 1) blocks.push(overview(told));
  return { data: told, text: [...blocks, conclusionLine(told, context)].join('\n\n'), exit };
}

function renderTarget({ target, file, notes, report, error }: ScanTarget, { paint }: Context): string {
  const where = file === null ? '' : paint.dim(`  in ${plain(file)}`);
  const head = report ? [] : [`${paint.bold(plain(target))}${where}`];
  const said = notes.map(
    ({ id, severity, message }) => `${paint.yellow('note   ')}  ${id}  ${severity}: ${plain(message)}`,
  );
  const body = report
    ? [renderReport(report, paint)]
    : [`${paint.red('no scan')}  ${plain(error?.message ?? '')} [${error?.code}]`];
  return [...head, ...body, ...said].join('\n');
}

function overview({ targets }: Scan): string {
  const rows = targets.map(({ target, source, conclusion, report }) => [
    target,
    source ?? '-',
    conclusion === 'unverified' ? 'could not verify' : conclusion,
    (report?.checks ?? [])
      .filter(({ outcome }) => outcome === 'fired')
      .map(({ id }) => id)
      .join(' ') || '-',
  ]);
  return table(['SERVER', 'SOURCE', 'CONCLUSION', 'FIRED'], rows);
}

function conclusionLine({ conclusion, targets }: Scan, { paint }: Context): string {
  if (conclusion === 'ok') return `${paint.green('ok')}: no check that gates fired, and none is unknown.`;
  const gating = targets.flatMap(({ report }) => report?.checks ?? []).filter(({ gates }) => gates);
  const ids = (outcome: CheckResult['outcome']): string =>
    [...new Set(gating.filter((check) => check.outcome === outcome).map(({ id }) => id))].join(', ');
  const [fired, unknown] = [ids('fired'), ids('unknown')];
  const missing = targets.filter(({ report }) => report === null).length;
  const why = [
    ...(fired === '' ? [] : [`${fired} fired and gate`]),
    ...(unknown === '' ? [] : [`${unknown} gate and are unknown`]),
    ...(missing === 0 ? [] : [`${missing} of ${targets.length} could not be scanned`]),
  ].join('; ');
  const head = conclusion === 'refused' ? paint.red('refused') : paint.yellow('could not verify');
  const next =
    missing === targets.length ? '' : ' In a registry, a reviewer has to accept that by name, with a reason.';
  return `${head}: ${why}.${next}`;
}
