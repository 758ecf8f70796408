/** Incidents that no scan of a package sees: the lock, the policy, the gate and the runtime are tried with them, and without. */

import { mkdir, mkdtemp, realpath, rm, symlink } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assertMeant, hostsOf } from '../../runtime/gateway/guard.ts';
import { HttpRefusal } from '../../runtime/gateway/refusals.ts';
import { checkMount } from '../../runtime/isolation/mounts.ts';
import { FlowState } from '../../runtime/policy/flows.ts';
import type { Policy } from '../../runtime/policy/open.ts';
import { assertCallApproved } from '../../runtime/trust/call.ts';
import { assertGrew } from '../../runtime/trust/checkpoint.ts';
import { openRoot } from '../../runtime/trust/root.ts';
import { asLockkeeperError } from '../../schemas/errors.ts';
import { sha256 } from '../../schemas/json.ts';
import { readCheckpoint } from '../../schemas/note.ts';
import type { ToolLabels } from '../../schemas/release.ts';
import { approvalOfCall, callFacts } from '../helpers/calls.ts';
import { memoryLog } from '../helpers/log.ts';
import { callOf, entriesWith, policyOf } from '../helpers/policy.ts';
import { logSigner, makeRoot, NOW, people, pin } from '../helpers/trust.ts';

export interface Control {
  readonly id: string;
  readonly what: string;
  /** What says no, for people. */
  readonly by: string;
  /** Null where it passes, else the code or the rule that says no. */
  readonly honest: () => Promise<string | null> | string | null;
  readonly attack: () => Promise<string | null> | string | null;
}

async function refusal(run: () => unknown): Promise<string | null> {
  try {
    await run();
    return null;
  } catch (error) {
    return error instanceof HttpRefusal ? error.error.code : asLockkeeperError(error).code;
  }
}

const LABELS: Readonly<Record<string, ToolLabels>> = {
  docs: { search: ['reads-untrusted'], edit: ['sends-out'] },
  code: { read: ['reads-private'] },
};
const GITHUB = policyOf('everyone: all locked tools\n', { entries: entriesWith(LABELS) });

/** These tools one after the other in one session, and what the last one is answered. */
function session(policy: Policy, tools: readonly string[]): string | null {
  const flow = new FlowState();
  let last: string | null = null;
  for (const [at, name] of tools.entries()) {
    const call = callOf('erin', name, { read: flow.read });
    const { effect, rule } = policy.judge(call);
    last = effect === 'allow' ? null : rule;
    if (effect === 'allow') flow.saw(policy.reads(call.item), { call: String(at), what: name });
  }
  return last;
}

const DATABASE = policyOf(
  'team agents = erin\nagents: tool shell of the code server, where sql is a select statement\n',
);
const sql = (text: string): string | null => {
  const { effect, rule } = DATABASE.judge(callOf('erin', 'code/shell', { arguments: { sql: text } }));
  return effect === 'allow' ? null : rule;
};

const asked = (host: string, origin: string): Promise<string | null> => {
  const request = { headers: { host, origin }, rawHeaders: ['Host', host, 'Origin', origin] };
  const isHost = hostsOf({ hosts: [], host: '127.0.0.1' });
  return refusal(() => assertMeant(request as unknown as IncomingMessage, isHost, []));
};

/** A project with a folder, and a link in it that leads to a neighbour whose name begins as the project's does. */
async function mounted(name: string): Promise<string | null> {
  const dir = await realpath(await mkdtemp(join(tmpdir(), 'lockkeeper-mount-')));
  const projectDir = join(dir, 'allowed');
  await mkdir(join(projectDir, 'data'), { recursive: true });
  await mkdir(join(dir, 'allowed-not'));
  await symlink('../allowed-not', join(projectDir, 'link'));
  try {
    return await refusal(() => checkMount(join(projectDir, name), { projectDir, homes: [], mode: 'ro' }));
  } finally {
    await rm(dir, { recursive: true });
  }
}

/** A log that was seen, and what is shown of it later. */
function shown(entries: number): Promise<string | null> {
  const log = memoryLog(logSigner);
  for (let n = 0; n < 6; n++) log.append({ kind: 'audit', subject: `j-1#${n}`, digest: sha256(`${n}`) });
  const earlier = readCheckpoint(log.noteAt(5).split('\n\n')[0] ?? '');
  const later = readCheckpoint(log.noteAt(entries).split('\n\n')[0] ?? '');
  return refusal(() => assertGrew(earlier, later, entries > 5 ? log.proof(5, entries) : null));
}

const trusted = openRoot({ root: makeRoot(), rootChain: [] }, pin, NOW);
const later = (minutes: number): Date => new Date(NOW.getTime() + minutes * 60_000);
const CALL = callFacts({ expires: later(10).toISOString() });
const approved = (call: typeof CALL, now: Date): Promise<string | null> =>
  refusal(() => assertCallApproved([approvalOfCall(people.alice, CALL)], call, { trusted, now }));

export const controls: readonly Control[] = [
  {
    id: '2',
    what: 'GitHub toxic flow: a public issue has an agent read a private repository and write it out',
    by: 'policy: toxic flows',
    honest: () => session(GITHUB, ['code/read', 'docs/edit']),
    attack: () => session(GITHUB, ['docs/search', 'code/read', 'docs/edit']),
  },
  {
    id: '9',
    what: 'Filesystem server CVE-2025-53109: a link, and a folder whose name begins as the permitted one does',
    by: 'mounts after realpath',
    honest: () => mounted('data'),
    attack: async () => (await mounted('link')) && (await mounted('../allowed-not/../allowed/link')),
  },
  {
    id: '12',
    what: 'Supabase: a support ticket has the agent write to the database',
    by: 'policy: arguments',
    honest: () => sql('select id from tickets'),
    attack: () =>
      sql('insert into tickets (text) select token from keys') &&
      sql('select 1; drop table keys') &&
      sql('select 1 /* */ from keys'),
  },
  {
    id: '13',
    what: 'Playwright MCP CVE-2025-9611: a page reaches the local server under another name',
    by: 'gateway: Host and Origin',
    honest: () => asked('127.0.0.1:7412', 'http://127.0.0.1:7412'),
    attack: async () =>
      (await asked('rebound.example:7412', 'http://rebound.example:7412')) &&
      (await asked('127.0.0.1:7412', 'http://rebound.example')),
  },
  {
    id: '27b',
    what: 'A chain without an anchor: its end is cut off and what is left verifies',
    by: 'checkpoints seen before',
    honest: () => shown(6),
    attack: () => shown(4),
  },
  {
    id: '28',
    what: 'An approval asked for one call is used for another, or after its time',
    by: 'approval of a call, bound to its arguments',
    honest: () => approved(CALL, later(1)),
    attack: async () =>
      (await approved({ ...CALL, argumentsDigest: sha256('others') }, later(1))) &&
      (await approved(CALL, later(11))),
  },
];

/** What no control of ours is before, and why. */
export const OUT_OF_REACH: Readonly<Record<string, string>> = {
  '3': 'Asana mixed up its customers inside its own service: what a remote server does with its own data shows in nothing that can be locked. Sessions and callers are kept apart on our side (npm run gate)',
};

/** Whether the two sides of a control come out as they should: what said no, and what is wrong with it. */
export async function tryControl(control: Control): Promise<{ said: string; wrong: string | null }> {
  const [honest, attack] = [await control.honest(), await control.attack()];
  if (honest !== null) return { said: honest, wrong: `the same without the attack is refused: ${honest}` };
  return { said: attack ?? '-', wrong: attack === null ? 'it is not refused' : null };
}
