/** Step 7: what the policy says of a request. Requests that name no item of a server are not its matter. */
import type { Digest, Json } from '../../schemas/common.ts';
import type { LockkeeperError } from '../../schemas/errors.ts';
import type { Section } from '../../schemas/surface.ts';
import type { Decision } from '../policy/open.ts';
import type { GatePolicy, ItemCall } from '../policy/session.ts';
import { isObject, type Request } from '../wire/message.ts';
import type { GateState } from './gate.ts';
import type { MethodRule } from './methods.ts';
import { matchesTemplate } from './template.ts';

/** As records carry it. */
export interface Decided {
  readonly policy: Digest;
  readonly rule: string;
}

export interface Ask {
  readonly people: 1 | 2;
  readonly minutes: number;
}

export interface Permission {
  readonly error: LockkeeperError | null;
  readonly decision: Decided;
  readonly ask: Ask | null;
  /** Which calls a refusal rests on, where it rests on what was read. */
  readonly detail?: Json;
}

/** Null where there is no policy, or nothing for it to judge. The first item that is refused decides. */
export function judgePolicy(message: Request, rule: MethodRule, state: GateState): Permission | null {
  const { policy } = state;
  if (policy === undefined) return null;
  if (message.method === 'completion/complete') return judgeCompletion(message, policy, state);
  const calls = itemsOf(message, rule, state);
  const judged = calls.map((call) => ({ call, decision: policy.judge(call) }));
  const [first] = judged;
  if (first === undefined) return null;
  const { call, decision } = judged.find((one) => !passes(one.call, one.decision)) ?? first;
  return permissionOf(policy, call, decision);
}

/** People are asked about calls of tools alone. */
function passes({ section }: Pick<ItemCall, 'section'>, { effect }: Decision): boolean {
  return effect === 'allow' || (effect === 'ask' && section === 'tools');
}

function permissionOf(policy: GatePolicy, call: ItemCall, decision: Decision): Permission {
  const judged = { policy: policy.digest as Digest, rule: decision.rule };
  if (!passes(call, decision)) {
    const readers = policy.readers(decision);
    const detail = readers === undefined ? {} : { detail: { read: readers as unknown as Json } };
    return { error: policy.refusal(call, decision), decision: judged, ask: null, ...detail };
  }
  const { effect, people = 2, minutes = 1 } = decision;
  return { error: null, decision: judged, ask: effect === 'ask' ? { people, minutes } : null };
}

function itemsOf(message: Request, rule: MethodRule, state: GateState): ItemCall[] {
  if (!rule.item) return [];
  const { section, parameter } = rule.item;
  const name = message.params[parameter];
  if (typeof name !== 'string') return [];
  if (section !== 'resources') return [{ section, name, arguments: message.params.arguments ?? {} }];
  const args = { uri: name };
  if (state.live.standing('resources', name) === 'locked') return [{ section, name, arguments: args }];
  return templatesOf(name, state).map((template) => ({
    section: 'resourceTemplates' as const,
    name: template,
    arguments: args,
  }));
}

function templatesOf(uri: string, { entry, live }: GateState): string[] {
  return Object.keys(entry.surface.resourceTemplates).filter(
    (template) => matchesTemplate(template, uri) && live.standing('resourceTemplates', template) === 'locked',
  );
}

/** Completing what one may not use would tell of it. */
function judgeCompletion(message: Request, policy: GatePolicy, state: GateState): Permission | null {
  const { ref } = message.params;
  if (!isObject(ref)) return null;
  const name = ref.type === 'ref/prompt' ? ref.name : ref.uri;
  if (typeof name !== 'string') return null;
  const listed =
    state.live.standing('resourceTemplates', name) === 'locked' ? 'resourceTemplates' : 'resources';
  const section: Section = ref.type === 'ref/prompt' ? 'prompts' : listed;
  const seen = policy.sees(section, name);
  const decision: Decision = { effect: seen ? 'allow' : 'deny', rule: 'as what it completes' };
  return permissionOf(policy, { section, name, arguments: {} }, decision);
}
