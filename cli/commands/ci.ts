import { assertAnswers } from '../../runtime/trust/lock.ts';
import { LockCheckView } from '../../schemas/api.ts';
import { asLockkeeperError, LockkeeperError } from '../../schemas/errors.ts';
import type { Command, Context, Result } from '../command.ts';
import { table } from '../output.ts';
import { type OpenedProject, openProject, projectOf } from '../project.ts';

/** The one conclusion of the gate; rendered for people and as JSON from the same value. */
export interface Conclusion {
  readonly conclusion: 'ok' | 'refused' | 'unverified';
  readonly code: string | null;
  readonly sentence: string;
  readonly lock: { version: number; digest: string; expires: string } | null;
  readonly servers: readonly {
    alias: string;
    server: string;
    version: string;
    approvedBy: readonly string[];
    state: string;
  }[];
  readonly warning: string | null;
}

export const ci: Command = {
  summary: 'verify mcp.lock against lockkeeper.json and the registry: one conclusion, exit 0, 3 or 4',
  words: '',
  options: {},
  optionHelp: {},
  examples: ['lk ci', 'LOCKKEEPER_TOKEN=… lk ci --json'],
  arity: [0, 0],
  async run(context, _words, values) {
    let opened: OpenedProject | null = null;
    try {
      opened = await openProject(context, projectOf(context, values));
      return render(await conclude(context, opened), context, 0);
    } catch (thrown) {
      const error = asLockkeeperError(thrown);
      const conclusion: Conclusion = {
        conclusion: error.exit === 3 ? 'refused' : 'unverified',
        code: error.code,
        sentence: error.message,
        lock: opened && lockOf(opened),
        servers: opened ? serversOf(opened, new Map()) : [],
        warning: opened?.verified.lock.warning ?? null,
      };
      return render(conclusion, context, error.exit);
    }
  },
};

async function conclude(context: Context, opened: OpenedProject): Promise<Conclusion> {
  const { intent, verified } = opened;
  assertAnswers(verified.lock, intent);
  const states = await assertCurrent(context, opened);
  const servers = serversOf(opened, states);
  return {
    conclusion: 'ok',
    code: null,
    sentence: `${servers.length} ${servers.length === 1 ? 'server is' : 'servers are'} locked, approved and current.`,
    lock: lockOf(opened),
    servers,
    warning: verified.lock.warning ?? null,
  };
}

/** Asks the registry what it says of these releases today. Throws RELEASE_REVOKED, LOCK_EQUIVOCATION and the like. */
async function assertCurrent(
  context: Context,
  { intent, verified }: OpenedProject,
): Promise<Map<string, string>> {
  const api = await context.api(intent.registry);
  const entries = Object.values(verified.lock.servers);
  const body = {
    audience: intent.project,
    version: verified.lock.version,
    digest: verified.digest,
    releases: entries.map(({ server, version }) => ({ server, version })),
  };
  const check = await api.call('lockCheck', LockCheckView, { body });
  const states = new Map(
    check.states.map((item) => [`${item.server}@${item.version}`, item.state ?? 'unknown']),
  );
  for (const { server, version } of entries) {
    const state = states.get(`${server}@${version}`) ?? 'unknown';
    if (state === 'approved' || state === 'deprecated') continue;
    throw new LockkeeperError('RELEASE_REVOKED', {
      expected: `${server} ${version} approved`,
      found: `it is ${state} at ${intent.registry}`,
      next: 'Run: lk lock (it takes the newest approved version that fits), or change lockkeeper.json',
    });
  }
  const { latest } = check;
  if (
    latest === null ||
    latest.version < verified.lock.version ||
    (latest.version === verified.lock.version && latest.digest !== verified.digest)
  ) {
    throw new LockkeeperError('LOCK_EQUIVOCATION', {
      expected: `the registry to know lock version ${verified.lock.version} of ${intent.project} with this digest`,
      found:
        latest === null ? 'no lock of this project' : `version ${latest.version}, digest ${latest.digest}`,
      next: 'The registry lost or replaced a lock it signed: report this, then run lk lock',
    });
  }
  return states;
}

function lockOf({ verified }: OpenedProject): Conclusion['lock'] {
  return { version: verified.lock.version, digest: verified.digest, expires: verified.lock.expires };
}

function serversOf({ verified }: OpenedProject, states: ReadonlyMap<string, string>): Conclusion['servers'] {
  return [...verified.entries].map(([alias, { entry, approvedBy }]) => ({
    alias,
    server: entry.server,
    version: entry.version,
    approvedBy,
    state: states.get(`${entry.server}@${entry.version}`) ?? 'not asked',
  }));
}

function render(conclusion: Conclusion, context: Context, exit: number): Result {
  const { paint } = context;
  const rows = conclusion.servers.map((s) => [
    s.alias,
    s.server,
    s.version,
    s.state,
    s.approvedBy.join(', '),
  ]);
  const head = {
    ok: paint.green('ok'),
    refused: paint.red('refused'),
    unverified: paint.yellow('could not verify'),
  }[conclusion.conclusion];
  const lines = [
    `${head}: ${conclusion.sentence}${conclusion.code ? ` [${conclusion.code}]` : ''}`,
    ...(rows.length ? ['', table(['ALIAS', 'SERVER', 'VERSION', 'STATE', 'APPROVED BY'], rows)] : []),
    ...(conclusion.warning ? ['', paint.yellow(conclusion.warning)] : []),
  ];
  return { data: conclusion, text: lines.join('\n'), exit };
}
