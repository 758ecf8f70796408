import { assertAnswers } from '../../runtime/trust/answers.ts';
import type { Across } from '../../scanner/across.ts';
import { asLockkeeperError, CODES, type Code } from '../../schemas/errors.ts';
import { acrossHere, acrossLines } from '../across.ts';
import { type Against, advisoryLines, assertUnaffected } from '../advisories.ts';
import { type Difference, differenceLines, differencesFrom } from '../against.ts';
import { type Command, type Context, flag, option, type Result, text } from '../command.ts';
import { assertCurrent, isVerdict, type States } from '../current.ts';
import { minute, plain, table } from '../output.ts';
import { assertNotDropped, assertPolicy, readPolicyFile } from '../policy-file.ts';
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
  /** What is publicly known against these servers; empty also where nobody was asked. */
  readonly advisories: Against;
  /** What they are together; null where the lock was not verified. */
  readonly across: Across | null;
  /** From the lock that was named with --against; absent where none was. */
  readonly differences?: readonly Difference[];
}

export const ci: Command = {
  summary: 'the gate: verify mcp.lock against lockkeeper.json and the registry',
  words: '',
  options: {
    against: option.text(
      'show what changed since the lock in this file, or since mcp.lock at this git revision',
    ),
    'drop-policy': option.flag('take a lock that says that its policy was dropped'),
    offline: option.flag(
      'ask nobody: no socket is opened, and what was revoked since the lock was signed stays unknown',
    ),
  },
  examples: [
    'lk ci',
    'lk ci --offline',
    'lk ci --against origin/main',
    'LOCKKEEPER_REGISTRY=https://lockkeeper.example LOCKKEEPER_ROOT_KEYS=sha256:… LOCKKEEPER_TOKEN=… lk ci --json',
  ],
  arity: [0, 0],
  async run(context, _words, values) {
    let opened: OpenedProject | null = null;
    let reached: Conclusion | null = null;
    let states: States = new Map();
    const told = (seen: States): void => {
      states = seen;
    };
    try {
      const offline = flag(values, 'offline');
      const project = projectOf(context, values);
      opened = await openProject(context, project, { ask: !offline });
      await assertPolicy(opened.verified.lock, await readPolicyFile(project));
      assertNotDropped(opened.verified.lock, flag(values, 'drop-policy'));
      const concluded = await (offline ? concludeOffline(context, opened) : conclude(context, opened, told));
      const spec = text(values, 'against');
      const { policy } = opened.verified.lock;
      const way = { exit: 0, policy: policy !== undefined };
      if (spec === undefined) return render(concluded, context, way);
      reached = concluded;
      const api = offline ? null : await context.api(opened.intent.registry);
      const found = await differencesFrom(context, opened, { spec, api, project });
      const shown = render({ ...concluded, differences: found }, context, way);
      return { ...shown, text: [shown.text, ...differenceLines(found, spec, context.paint)].join('\n') };
    } catch (thrown) {
      const error = asLockkeeperError(thrown);
      // The lock was verified: what failed is the comparison that was asked for beside it.
      const exit = reached && isVerdict(error.code) ? CODES.REGISTRY_UNREACHABLE.exit : exitOf(error.code);
      const conclusion: Conclusion = {
        conclusion: exit === 3 ? 'refused' : 'unverified',
        code: error.code,
        sentence: error.message,
        lock: opened && lockOf(opened),
        servers: reached?.servers ?? (opened ? serversOf(opened, states) : []),
        warning: opened?.verified.lock.warning ?? null,
        advisories: [],
        across: null,
      };
      return render(conclusion, context, { exit, policy: false });
    }
  },
};

/** 3: the lock is refused. 4: it could not be verified. 1: the gate itself broke. */
function exitOf(code: Code): number {
  const { exit } = CODES[code];
  return isVerdict(code) || exit === CODES.INTERNAL.exit ? exit : CODES.REGISTRY_UNREACHABLE.exit;
}

async function conclude(
  context: Context,
  opened: OpenedProject,
  told: (states: States) => void,
): Promise<Conclusion> {
  const { intent, verified } = opened;
  assertAnswers(verified.lock, intent);
  const api = await context.api(intent.registry);
  const states = await assertCurrent(context, api, { ...opened, told });
  const advisories = await assertUnaffected(api, Object.values(verified.lock.servers));
  const servers = serversOf(opened, states);
  return {
    conclusion: 'ok',
    code: null,
    sentence: `${servers.length} ${servers.length === 1 ? 'server is' : 'servers are'} locked, approved and current.`,
    lock: lockOf(opened),
    servers,
    warning: verified.lock.warning ?? null,
    advisories,
    across: await acrossHere(context, opened, api),
  };
}

/** All that the lock itself can show. How old that is stands in the sentence, because it is what is not known. */
async function concludeOffline(context: Context, opened: OpenedProject): Promise<Conclusion> {
  const { intent, verified } = opened;
  assertAnswers(verified.lock, intent);
  const servers = serversOf(opened, new Map());
  return {
    conclusion: 'ok',
    code: null,
    sentence: `${servers.length} ${servers.length === 1 ? 'server is' : 'servers are'} locked and approved; nobody was asked what was revoked since ${minute(verified.lock.issuedAt)} UTC.`,
    lock: lockOf(opened),
    servers,
    warning: verified.lock.warning ?? null,
    advisories: [],
    across: await acrossHere(context, opened, null),
  };
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

interface Told {
  readonly exit: number;
  /** Whether the lock carries one. */
  readonly policy: boolean;
}

function render(conclusion: Conclusion, { paint }: Context, { exit, policy }: Told): Result {
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
    `${head}: ${plain(conclusion.sentence)}${conclusion.code ? ` [${conclusion.code}]` : ''}`,
    ...(rows.length ? ['', table(['ALIAS', 'SERVER', 'VERSION', 'STATE', 'APPROVED BY'], rows)] : []),
    ...conclusion.advisories.flatMap(({ server, version, advisories }) => [
      '',
      paint.yellow(plain(`warning: known against ${server} ${version}`)),
      ...advisoryLines(advisories),
    ]),
    ...(conclusion.across ? acrossLines(conclusion.across, { servers: rows.length, policy }) : []),
    ...(conclusion.warning ? ['', paint.yellow(plain(conclusion.warning))] : []),
  ];
  return { data: conclusion, text: lines.join('\n'), exit };
}
