import { setTimeout as sleep } from 'node:timers/promises';
import { renderReport } from '../../scanner/render.ts';
import { Me } from '../../schemas/api.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { Report } from '../../schemas/finding.ts';
import {
  DEFAULT_LIMITS,
  type Permissions,
  Release,
  type Release as ReleaseView,
  type Submission,
} from '../../schemas/release.ts';
import type { PublishBody } from '../../schemas/server.ts';
import type { Api } from '../api.ts';
import { type Command, type Context, flag, list, text, type Values } from '../command.ts';

/** How long `lk publish` watches a scan before it leaves it to the registry. */
const WAIT_MS = 10 * 60_000;

export const publish: Command = {
  summary: 'submit an exact server version for scan and review',
  words: 'npm:NAME@VERSION',
  options: {
    name: { type: 'string' },
    description: { type: 'string' },
    arg: { type: 'string', multiple: true },
    'project-args': { type: 'boolean' },
    mount: { type: 'string', multiple: true },
    env: { type: 'string', multiple: true },
    egress: { type: 'string', multiple: true },
    memory: { type: 'string' },
    owner: { type: 'string' },
    team: { type: 'string' },
    'new-source': { type: 'boolean' },
    'no-wait': { type: 'boolean' },
  },
  optionHelp: {
    name: 'server name in the registry (default: npm.<scope>/<package>)',
    description: 'one line of at most 100 characters',
    arg: 'argument the server is always started with; repeat for more',
    'project-args': 'let projects append arguments of their own',
    mount: 'folder inside the sandbox that projects may fill: /data:ro or /data:rw; repeat',
    env: 'name of a variable that projects may pass; repeat',
    egress: 'host:port or *.suffix:port the server may reach; repeat (default: none)',
    memory: 'memory limit in MiB (default 1024)',
    owner: 'who answers for the server, at its first release (default: you)',
    team: 'team that the server belongs to, at its first release',
    'new-source': 'this server came from another package before, and really moved; reviewers are told',
    'no-wait': 'do not wait for the report',
  },
  examples: [
    'lk publish npm:@modelcontextprotocol/server-filesystem@2025.8.21 --arg /data --mount /data:rw',
    'lk publish npm:@modelcontextprotocol/server-memory@2026.8.31 --name acme.tools/memory',
  ],
  arity: [1, 1],
  async run(context, [source = ''], values) {
    const api = await context.api();
    const submission = submissionOf(source, values);
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
    const next = `Next: two other people than ${me.person} run: lk review ${release.id}, lk approve ${release.id}`;
    return {
      data: { release: scanned, report },
      text: `${renderReport(report, context.paint, scanned)}\n${next}`,
    };
  },
};

/** How the submission stands to the server's name. */
function namingOf(values: Values): Pick<PublishBody, 'owner' | 'team' | 'newSource'> {
  const [owner, team] = [text(values, 'owner'), text(values, 'team')];
  return {
    ...(owner === undefined ? {} : { owner }),
    ...(team === undefined ? {} : { team }),
    ...(flag(values, 'new-source') ? { newSource: true } : {}),
  };
}

/** The submission in the schema's words. Throws USAGE or SOURCE_INVALID before anything is sent. */
export function submissionOf(source: string, values: Values): Submission {
  const match = /^npm:((?:@([a-z0-9._~-]+)\/)?([a-z0-9._~-]+))@([0-9][0-9A-Za-z.+-]*)$/.exec(source);
  if (!match) {
    throw new LockkeeperError('SOURCE_INVALID', {
      expected: 'npm:<name>@<exact version>, such as npm:@modelcontextprotocol/server-memory@2026.8.31',
      found: quote(source),
      next: 'Name one exact version, not a tag or a range',
    });
  }
  const [, packageName = '', scope, base = '', version = ''] = match;
  return {
    name: text(values, 'name') ?? (scope ? `npm.${scope}/${base}` : `npm/${base}`),
    version,
    source,
    description: text(values, 'description') ?? `${packageName} from npm`.slice(0, 100),
    args: list(values, 'arg'),
    projectArgs: flag(values, 'project-args'),
    permissions: permissionsOf(values),
  };
}

function permissionsOf(values: Values): Permissions {
  const memory = Number(text(values, 'memory') ?? DEFAULT_LIMITS.memoryMiB);
  if (!Number.isInteger(memory)) {
    throw new LockkeeperError('USAGE', {
      expected: '--memory as a whole number of MiB',
      found: quote(String(values.memory)),
      next: 'See: lk publish --help',
    });
  }
  return {
    egress: list(values, 'egress'),
    mounts: list(values, 'mount').map(mountOf),
    env: list(values, 'env'),
    limits: { ...DEFAULT_LIMITS, memoryMiB: memory },
  };
}

function mountOf(word: string): Permissions['mounts'][number] {
  const match = /^(\/[^:]+):(ro|rw)$/.exec(word);
  const [, target, mode] = match ?? [];
  if (target !== undefined && (mode === 'ro' || mode === 'rw')) return { target, mode };
  throw new LockkeeperError('USAGE', {
    expected: '--mount /folder:ro or /folder:rw',
    found: quote(word),
    next: 'See: lk publish --help',
  });
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
