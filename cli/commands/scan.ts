import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { toMarkdown } from '../../scanner/render/markdown.ts';
import { toSarif } from '../../scanner/render/sarif.ts';
import { suppressedIn } from '../../scanner/suppressions.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { parseFile } from '../../schemas/json.ts';
import { DEFAULT_POLICY, Policy } from '../../schemas/policy.ts';
import { concludeAll, type Scan, type ScanTarget } from '../../schemas/scan.ts';
import { assertValid } from '../../schemas/validate.ts';
import {
  type Command,
  type Context,
  flag,
  list,
  option,
  type Result,
  text,
  type Values,
} from '../command.ts';
import { readOr } from '../project.ts';
import { renderScan } from '../scan/render.ts';
import { sbomPlace, writeSboms } from '../scan/sbom.ts';
import { openScanning } from '../scan/scan.ts';
import { accept, readSuppressions, trustedIds } from '../scan/suppressions.ts';
import { type Target, targetsOf } from '../scan/targets.ts';
import { trustGiven } from '../scan/trust.ts';
import { signerNamed } from '../signers.ts';
import { tidied } from '../tidied.ts';
import { acceptOf } from './approve.ts';
import { keyName } from './keys.ts';

const DEFAULT_DAYS = '90';
const MAX_POLICY_BYTES = 1024 * 1024;

export const scan: Command = {
  summary: 'scan servers on this machine, without a registry and without an account',
  words: 'SOURCE|FOLDER|FILE …',
  options: {
    against: option.text('source of an earlier version: what is new since then is told, and gates'),
    policy: option.text('file of a policy (schemas/json/policy.schema.json) that says which checks gate'),
    'trust-root': option.list(
      'NAME=FILE to verify signatures under: sigstore, npm, git-signers; repeat (docs/provenance.md)',
    ),
    advisories: option.list(
      'archive of OSV (all.zip), or a folder of them, to look packages up in; repeat (docs/advisories.md)',
    ),
    sarif: option.text('also write SARIF 2.1.0 to this file, for code scanning'),
    markdown: option.text('also write Markdown to this file, for a comment'),
    sbom: option.text(
      'also write the bill of materials (CycloneDX 1.6) to this file; of several servers, into this folder',
    ),
    suppressions: option.text('file of findings that people accepted: they are told, and gate no longer'),
    trust: option.list('id of a key that suppressions may be by, beside your own; repeat'),
    accept: option.list('CHECK=REASON: sign the findings of this check and add them to that file; repeat'),
    days: option.text('how long that lasts (default 90, at most 365)'),
    key: option.text('name of your key file (default: your name)'),
    arg: option.list('argument the server is started with; repeat for more'),
    mount: option.list('empty folder that it finds inside the sandbox: /data:ro or /data:rw; repeat'),
    env: option.list('name of a variable that holds a placeholder; repeat'),
    secret: option.list('name of a secret that holds a placeholder, as a file; repeat'),
    egress: option.list('host:port it would be permitted; repeat. Nothing is reached while it is scanned'),
    memory: option.text('memory limit in MiB (default 1024)'),
    full: option.flag('tell of each check what it saw, longer than a screen'),
    config: option.list(
      'of an MCP bundle: KEY=VALUE for what its manifest would have a person asked for; repeat',
    ),
  },
  examples: [
    'lk scan npm:@modelcontextprotocol/server-memory@2026.8.31',
    'lk scan pypi:mcp-server-time --json',
    'lk scan npm:@acme/server@1.4.0 --sbom server.cdx.json',
    'lk scan npm:@acme/server@1.4.0 --against npm:@acme/server@1.3.2',
    'lk scan mcpb:weather.mcpb',
    'lk scan npm:@acme/server@1.4.0 --advisories npm.zip',
    'lk scan .mcp.json --sarif lockkeeper.sarif',
    'lk scan .mcp.json --suppressions lk-accepted.json --accept "LK-TXT-05=the model name is what it bills by"',
  ],
  arity: [1, 100],
  async run(context, words, values) {
    const policy = await policyOf(context, values);
    const scanning = await openScanning(context, {
      policy,
      against: text(values, 'against'),
      trust: await trustGiven(context, values),
      advisories: list(values, 'advisories').map((path) => resolve(context.cwd, path)),
    });
    const work = async (): Promise<Result> => {
      const wanted: Target[] = [];
      for (const word of words) wanted.push(...(await targetsOf(word, context.cwd, scanning.ask)));
      const place = await sbomPlace(context, text(values, 'sbom'), wanted);
      const targets = await scanning.all(wanted, values);
      const judged = await withSuppressions(context, values, targets);
      const told: Scan = {
        lockkeeper: 'scan/v1',
        conclusion: concludeAll(judged),
        gates: policy.scan.gates,
        targets: judged,
      };
      if (place) await writeSboms(place, targets, scanning.blob);
      await write(context, text(values, 'sarif'), () => `${JSON.stringify(toSarif(told), null, 2)}\n`);
      await write(context, text(values, 'markdown'), () => toMarkdown(told));
      return renderScan(told, { words, full: flag(values, 'full') }, context);
    };
    return tidied(work, () => scanning.close());
  },
};

/** Accepts what is to be accepted, then lets what is accepted no longer gate. */
async function withSuppressions(
  context: Context,
  values: Values,
  targets: readonly ScanTarget[],
): Promise<ScanTarget[]> {
  const [path, accepts] = [text(values, 'suppressions'), list(values, 'accept').map(acceptOf)];
  if (path === undefined) {
    if (accepts.length === 0) return [...targets];
    const next = 'See: lk scan --help';
    throw new LockkeeperError('USAGE', {
      expected: '--suppressions FILE beside --accept',
      found: 'none',
      next,
    });
  }
  if (accepts.length > 0) {
    const signer = await signerNamed(context, await keyName(context, values));
    const days = Number(text(values, 'days') ?? DEFAULT_DAYS);
    await accept(context, path, { targets, wish: { accepts: new Map(accepts), days, signer } });
  }
  const accepted = await readSuppressions(context, path, await trustedIds(context, list(values, 'trust')));
  return targets.map((target) => suppressedIn(target, accepted, context.now()));
}

async function policyOf(context: Context, values: Values): Promise<Policy> {
  const path = text(values, 'policy');
  if (path === undefined) return DEFAULT_POLICY;
  const missing = (): LockkeeperError =>
    new LockkeeperError('USAGE', { expected: '--policy: a file', found: path, next: 'See: lk scan --help' });
  const bytes = await readOr(resolve(context.cwd, path), missing, MAX_POLICY_BYTES);
  return assertValid(Policy, parseFile(bytes, path), path);
}

async function write(context: Context, path: string | undefined, make: () => string): Promise<void> {
  if (path !== undefined) await writeFile(resolve(context.cwd, path), make());
}
