/** A small project of three servers for policies, and callers of them. */
import type { Caller } from '../../runtime/gate/caller.ts';
import { type CallApprovals, NOBODY_TO_ASK, type WaitingCall } from '../../runtime/gate/people.ts';
import { FlowState } from '../../runtime/policy/flows.ts';
import { type JudgedCall, openPolicy, type Policy, type PolicySource } from '../../runtime/policy/open.ts';
import type { SessionPolicy } from '../../runtime/policy/session.ts';
import type { LockedEntry } from '../../runtime/policy/world.ts';
import type { ApprovedCall } from '../../runtime/trust/call.ts';
import type { Json, JsonObject } from '../../schemas/common.ts';
import { sha256 } from '../../schemas/json.ts';
import type { LockEntry } from '../../schemas/lock.ts';
import type { ToolLabels } from '../../schemas/release.ts';
import { pinSurface, type Surface } from '../../schemas/surface.ts';
import { surface as base, makeEntry } from './trust.ts';

const tool = (name: string, annotations?: JsonObject): JsonObject => ({
  name,
  inputSchema: { type: 'object' },
  ...(annotations ? { annotations } : {}),
});

const SURFACES: Readonly<Record<string, Surface>> = {
  docs: {
    ...base,
    tools: {
      search: tool('search', { readOnlyHint: true, openWorldHint: true }),
      edit: tool('edit', { readOnlyHint: false, destructiveHint: false, openWorldHint: false }),
    },
    prompts: { summary: { name: 'summary' } },
    resources: { 'docs://index': { name: 'index', uri: 'docs://index' } },
    resourceTemplates: { 'docs://{page}': { name: 'page', uriTemplate: 'docs://{page}' } },
  },
  code: {
    ...base,
    tools: {
      read: tool('read', { readOnlyHint: true, openWorldHint: false }),
      remove: tool('remove', { destructiveHint: true, openWorldHint: false }),
      // says nothing of itself
      shell: tool('shell'),
    },
  },
  // the same name as at docs, and annotations that honestly vary
  web: {
    ...base,
    tools: { search: tool('search', { readOnlyHint: true }) },
    volatile: ['/tools/search/annotations/readOnlyHint'],
  },
};

export function entriesWith(labels: Readonly<Record<string, ToolLabels>> = {}): Map<string, LockedEntry> {
  return new Map(
    Object.entries(SURFACES).map(([alias, surface]) => {
      const { permissions } = makeEntry();
      const own = labels[alias];
      const entry = {
        server: `acme.tools/${alias}`,
        surface: pinSurface(surface),
        permissions: { ...permissions, ...(own ? { labels: own } : {}) },
      };
      return [alias, entry];
    }),
  );
}

export function sourceOf(text: string, change: Partial<PolicySource> = {}): PolicySource {
  return {
    text,
    digest: sha256(text),
    environment: 'development',
    entries: entriesWith(),
    surfaces: new Map(Object.entries(SURFACES)),
    ...change,
  };
}

export function policyOf(text: string, change: Partial<PolicySource> = {}): Policy {
  return openPolicy(sourceOf(text, change));
}

export function callerOf(user: string, change: Partial<Caller> = {}): Caller {
  return { user, teams: [], via: 'sign-in', actors: [], ...change };
}

/** A call of `server/tool`. */
export function callOf(user: string, name: string, change: Partial<JudgedCall> = {}): JudgedCall {
  const [server = '', ...rest] = name.split('/');
  return {
    caller: callerOf(user),
    item: { server, kind: 'tools', name: rest.join('/') },
    arguments: {},
    now: new Date('2026-11-24T12:00:00.000Z'),
    read: { untrusted: false, private: false },
    ...change,
  };
}

/** Of one session with the server `test`, whose lock this is. */
export function sessionPolicy(
  text: string,
  { entry, surface }: { entry: LockEntry; surface: Surface },
  change: Partial<SessionPolicy> = {},
): SessionPolicy {
  const entries = new Map([['test', entry]]);
  const policy = policyOf(text, { entries, surfaces: new Map([['test', surface]]) });
  return { policy, server: 'test', flow: new FlowState(), approvals: NOBODY_TO_ASK, ...change };
}

/** People who are asked, and decide when a test says so. */
export class People implements CallApprovals {
  readonly asked: { call: WaitingCall; signal: AbortSignal }[] = [];
  readonly #answers: ((answer: ApprovedCall | Error) => void)[] = [];

  ask(call: WaitingCall, signal: AbortSignal): Promise<ApprovedCall> {
    this.asked.push({ call, signal });
    return new Promise((resolve, reject) => {
      this.#answers.push((answer) => (answer instanceof Error ? reject(answer) : resolve(answer)));
    });
  }

  decide(answer: ApprovedCall | Error = { approvedBy: ['alice'], digest: sha256('approval') }): void {
    this.#answers.shift()?.(answer);
  }
}

/** `allow`, `deny` or `ask`. */
export function effectOf(policy: Policy, user: string, name: string, args: Json = {}): string {
  return policy.judge(callOf(user, name, { arguments: args })).effect;
}
