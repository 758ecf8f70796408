import { setTimeout as sleep } from 'node:timers/promises';
import { npmOptionsOf } from '../../scanner/npm.ts';
import { ociOptionsOf } from '../../scanner/oci/options.ts';
import { resolveTag } from '../../scanner/oci/tag.ts';
import { pypiOptionsOf } from '../../scanner/pypi/options.ts';
import { renderReport } from '../../scanner/render/report.ts';
import { Me } from '../../schemas/api.ts';
import { Report } from '../../schemas/finding.ts';
import { Release, type Release as ReleaseView, type Submission } from '../../schemas/release.ts';
import type { PublishBody } from '../../schemas/server.ts';
import type { Api } from '../api.ts';
import { type Command, type Context, flag, option, text, type Values } from '../command.ts';
import { bundleSubmission, configIn, findBundle } from '../mcp-bundles.ts';
import { acceptWords } from '../releases.ts';
import { commitSubmission, findCommit } from '../repositories.ts';
import { newestOf } from '../scan/targets.ts';
import { submissionOf } from '../submission.ts';

/** How long `lk publish` watches a scan before it leaves it to the registry. */
const WAIT_MS = 10 * 60_000;

export const publish: Command = {
  summary: 'submit an exact server version for scan and review',
  words:
    'npm:NAME[@VERSION]|pypi:NAME[@VERSION]|oci:HOST/NAME:TAG|mcpb:FILE|git:ADDRESS#TAG|https://HOST/PATH',
  options: {
    name: option.text(
      'server name in the registry (default: npm.<scope>/<package>, pypi/<package>, mcpb/<name>, host and path of an image)',
    ),
    description: option.text('one line of at most 100 characters'),
    arg: option.list('argument the server is always started with; repeat for more'),
    'project-args': option.flag('let projects append arguments of their own'),
    mount: option.list('folder inside the sandbox that projects may fill: /data:ro or /data:rw; repeat'),
    env: option.list('name of a variable that projects may pass; repeat'),
    secret: option.list('name of a secret that projects may give, as the file /run/secrets/NAME; repeat'),
    egress: option.list('host:port or *.suffix:port the server may reach; repeat (default: none)'),
    memory: option.text('memory limit in MiB (default 1024)'),
    labels: option.text('file that says which tools read text of strangers or private data, or send out'),
    config: option.list(
      'of an MCP bundle: KEY=VALUE for what its manifest would have a person asked for; repeat',
    ),
    owner: option.text('who answers for the server, at its first release (default: you)'),
    team: option.text('team that the server belongs to, at its first release'),
    'new-source': option.flag(
      'this server came from another package before, and really moved; reviewers are told',
    ),
    release: option.text(
      'of a remote server, an image or a commit: its version, such as 1.0.0 (default: the tag’s)',
    ),
    transport: option.text('of a remote server: streamable-http (default) or http-sse, the old one'),
    pin: option.list(
      'of a remote server: the key to pin, leaf or issuer; repeat (default: both, either of which may answer)',
    ),
    ca: option.text(
      'of a remote server: file of the authorities to trust instead of those that everybody trusts',
    ),
    private: option.flag('of a remote server: it may be in a private network'),
    'no-wait': option.flag('do not wait for the report'),
    full: option.flag('tell of each check what it saw, longer than a screen'),
  },
  examples: [
    'lk publish npm:@modelcontextprotocol/server-filesystem@2025.8.21 --arg /data --mount /data:rw',
    'lk publish npm:@modelcontextprotocol/server-memory@2026.8.31 --name acme.tools/memory',
    'lk publish pypi:mcp-server-time',
    'lk publish oci:ghcr.io/acme/weather:1.2.0 --egress api.weather.example:443',
    'lk publish mcpb:weather.mcpb --env WEATHER_KEY --egress api.weather.example:443',
    'lk publish git:https://github.com/acme/weather#v1.2.0',
    'lk publish https://mcp.acme.example/mcp --release 1.0.0 --name acme.tools/search',
  ],
  arity: [1, 1],
  async run(context, [source = ''], values) {
    const api = await context.api();
    const submission = await submissionFrom(source, values, { context, api });
    const release = await api.call('publish', Release, {
      body: { ...submission, ...namingOf(values) },
    });
    if (flag(values, 'no-wait')) {
      return {
        data: { release },
        text: `Submitted ${release.name} ${release.version} (release ${release.id}).\nNext: lk review ${release.id}`,
      };
    }
    const scanned = await waitForScan(context, api, release.id);
    if (scanned.state === 'rejected' || scanned.reportDigest === null) {
      const refusal = scanned.reason ?? `still ${scanned.state}`;
      return {
        data: { release: scanned },
        text: `${context.paint.red('Not ready for review')}: ${scanned.name} ${scanned.version} is ${scanned.state}.\n${refusal}`,
        exit: scanned.state === 'rejected' ? 3 : 4,
      };
    }
    const report = await api.call('report', Report, { parameters: { id: release.id } });
    const me = await api.call('me', Me);
    const accepts = acceptWords(report.checks);
    const next = `Next: other people than ${me.person} run: lk review ${release.id}, lk approve ${release.id}${accepts}`;
    return {
      data: { release: scanned, report },
      text: `${renderReport(report, context.paint, { asked: scanned, full: flag(values, 'full') })}\n\n${next}`,
    };
  },
};

/** A bundle is handed in first, so that the scanner has the very bytes that were looked at. */
async function submissionFrom(
  word: string,
  values: Values,
  { context, api }: { context: Context; api: Api },
): Promise<Submission> {
  const { environment } = context.config;
  const source = await newestOf(word, async () => ({
    npm: await npmOptionsOf(context.cwd, environment),
    pypi: () => pypiOptionsOf(environment),
  }));
  if (source !== word) context.say(`The newest is ${source}`);
  const commit = await findCommit(source, environment);
  if (commit !== null) return commitSubmission(commit, values);
  const found = await findBundle(source, { cwd: context.cwd, environment });
  if (found === null) {
    const submission = await submissionOf(source, values, async (tag) =>
      resolveTag(tag, await ociOptionsOf(environment)),
    );
    return { ...submission, ...configIn(values) };
  }
  const submission = await bundleSubmission(found, values);
  await api.upload('bundle', found.bytes);
  return submission;
}

/** How the submission stands to the server's name. */
function namingOf(values: Values): Pick<PublishBody, 'owner' | 'team' | 'newSource'> {
  const [owner, team] = [text(values, 'owner'), text(values, 'team')];
  return {
    ...(owner === undefined ? {} : { owner }),
    ...(team === undefined ? {} : { team }),
    ...(flag(values, 'new-source') ? { newSource: true } : {}),
  };
}

async function waitForScan(context: Context, api: Api, id: number): Promise<ReleaseView> {
  const start = context.now().getTime();
  for (;;) {
    const release = await api.call('release', Release, { parameters: { id } });
    const seconds = Math.round((context.now().getTime() - start) / 1000);
    const over = context.now().getTime() - start > WAIT_MS;
    if ((release.state !== 'submitted' && release.state !== 'scanning') || over) {
      context.progress('');
      return release;
    }
    context.progress(`${release.name} ${release.version}: ${release.state}, ${seconds} s`);
    await sleep(500);
  }
}
