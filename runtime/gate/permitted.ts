/** Step 7: what the policy says of a request. Requests that name no item of a server are not its matter. */
import type { Digest, Json, JsonObject } from '../../schemas/common.ts';
import type { LockkeeperError } from '../../schemas/errors.ts';
import type { Section } from '../../schemas/surface.ts';
import type { Decision } from '../policy/open.ts';
import { FLOWS_RULE } from '../policy/rules.ts';
import type { GatePolicy, ItemCall } from '../policy/session.ts';
import { isObject, type Request } from '../wire/message.ts';
import type { GateState, Pending } from './gate.ts';
import { subscribedTo } from './items.ts';
import type { MethodRule } from './methods.ts';
import { listedAs } from './same-address.ts';
import type { Task } from './tasks.ts';
import { filledIn, matchesTemplate } from './template.ts';

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
  const permission = permissionOf(policy, call, decision);
  return permission.error === null && answers(message) ? saying(policy, permission, message) : permission;
}

/** 10: what a line of the policy bounds in number. `count`: it goes on from here, and is one call more. */
export function judgeRate(
  message: Request,
  rule: MethodRule,
  { state, count }: { readonly state: GateState; readonly count: boolean },
): Permission | null {
  const { policy } = state;
  if (policy === undefined || message.method === 'completion/complete') return null;
  const full = policy.bounded(itemsOf(message, rule, state), count);
  return (
    full && { error: full.error, decision: { policy: policy.digest as Digest, rule: full.rule }, ask: null }
  );
}

/** What a server's questions are answered with is in no argument. */
function saying(policy: GatePolicy, permission: Permission, { method }: { method: string }): Permission {
  const unsaid = policy.unsaid(method);
  return unsaid ? refusedBy(policy, { effect: 'deny', rule: FLOWS_RULE }, unsaid) : permission;
}

function answers({ params: { inputResponses } }: Request): boolean {
  return isObject(inputResponses) ? Object.keys(inputResponses).length > 0 : inputResponses !== undefined;
}

/**
 * What is about a task, as the call that made it: by its arguments, and by what the session had read then, as nothing that it
 * has read since goes out with it. What the client says to a running task does go out. People are not asked twice.
 */
export function judgeTaskPolicy(
  method: string,
  { maker: { target: name, making } }: Task,
  { policy }: Pick<GateState, 'policy'>,
): Permission | null {
  if (policy === undefined) return null;
  const call: ItemCall = { section: 'tools', name, arguments: making.arguments };
  const decision = policy.judge(call, method === 'tasks/update' ? undefined : making.read);
  const asked = decision.effect === 'ask' && (decision.people ?? 2) <= making.people;
  const judged = { policy: policy.digest as Digest, rule: decision.rule };
  const permission = { error: null, decision: judged, ask: null };
  if (decision.effect === 'allow' || asked)
    return method === 'tasks/update' ? saying(policy, permission, { method }) : permission;
  return { ...permissionOf(policy, call, decision), error: policy.refusal(call, decision), ask: null };
}

/** People are asked about calls of tools alone. */
function passes({ section }: Pick<ItemCall, 'section'>, { effect }: Decision): boolean {
  return effect === 'allow' || (effect === 'ask' && section === 'tools');
}

function refusedBy(policy: GatePolicy, decision: Decision, error: LockkeeperError): Permission {
  const readers = policy.readers(decision);
  const detail = readers === undefined ? {} : { detail: { read: readers as unknown as Json } };
  const judged = { policy: policy.digest as Digest, rule: decision.rule };
  return { error, decision: judged, ask: null, ...detail };
}

function permissionOf(policy: GatePolicy, call: ItemCall, decision: Decision): Permission {
  if (!passes(call, decision)) return refusedBy(policy, decision, policy.refusal(call, decision));
  const judged = { policy: policy.digest as Digest, rule: decision.rule };
  const { effect, people = 2, minutes = 1 } = decision;
  return { error: null, decision: judged, ask: effect === 'ask' ? { people, minutes } : null };
}

function itemsOf(message: Request, rule: MethodRule, state: GateState): ItemCall[] {
  if (!rule.item) return (subscribedTo(message) ?? []).flatMap((uri) => resourcesAt(uri, state));
  const { section, parameter } = rule.item;
  const name = message.params[parameter];
  if (typeof name !== 'string') return [];
  if (section !== 'resources') return [{ section, name, arguments: message.params.arguments ?? {} }];
  return resourcesAt(name, state);
}

/** The listed resource of this address, or every template that it is of. */
function resourcesAt(uri: string, state: GateState): ItemCall[] {
  const args = { uri };
  if (state.live.standing('resources', uri) === 'locked')
    return [{ section: 'resources', name: uri, arguments: args }];
  const templates = templatesOf(uri, state).map((template) => ({
    section: 'resourceTemplates' as const,
    name: template,
    arguments: args,
  }));
  // Written in another way, it may be a listed one: that is judged as well.
  const listed = listedAs(uri, state.entry.surface.resources);
  return [...templates, ...listed.map((name) => ({ section: 'resources' as const, name, arguments: args }))];
}

function templatesOf(uri: string, { entry, live }: GateState): string[] {
  return Object.keys(entry.surface.resourceTemplates).filter(
    (template) => matchesTemplate(template, uri) && live.standing('resourceTemplates', template) === 'locked',
  );
}

/** Completing is judged as the use that it completes, with what is filled in so far, as it stands. */
function judgeCompletion({ params }: Request, policy: GatePolicy, state: GateState): Permission | null {
  const judged = completed(params, state).map((call) => ({ call, decision: policy.judge(call) }));
  const decides = judged.find(({ call, decision }) => !passes(call, decision)) ?? judged[0];
  return decides ? permissionOf(policy, decides.call, decides.decision) : null;
}

export interface Seeing {
  /** What lists may show of what is locked. */
  readonly sees: ((section: Section, key: string) => boolean) | undefined;
  /** Whether a value that completes an argument would be permitted in its place; absent: nothing was completed. */
  readonly fits?: (value: string) => boolean;
}

/** What of an answer the policy lets its caller see. */
export function seeing({ method, wish }: Pending, state: GateState | null): Seeing {
  const policy = state?.policy;
  if (!state || !policy || method !== 'completion/complete' || !wish) return { sees: policy?.sees };
  const { argument } = wish;
  const fits = (value: string): boolean => {
    const calls = completed(isObject(argument) ? { ...wish, argument: { ...argument, value } } : wish, state);
    return calls.length > 0 && calls.every((call) => passes(call, policy.judge(call)));
  };
  return { sees: policy.sees, fits };
}

/**
 * The use of a prompt or resource with the arguments that a completion names, and of each listed resource that it comes to.
 * None for what the gate refuses before.
 */
function completed({ ref, argument, context }: JsonObject, { live, entry }: GateState): ItemCall[] {
  if (!isObject(ref)) return [];
  const { name, value } = isObject(argument) ? argument : {};
  const before = isObject(context) && isObject(context.arguments) ? context.arguments : {};
  const filled = typeof name === 'string' && value !== undefined ? { ...before, [name]: value } : before;
  const { name: prompt, uri } = ref;
  if (ref.type === 'ref/prompt')
    return typeof prompt === 'string' ? [{ section: 'prompts', name: prompt, arguments: filled }] : [];
  if (typeof uri !== 'string') return [];
  const section = live.standing('resourceTemplates', uri) === 'locked' ? 'resourceTemplates' : 'resources';
  const args = { uri: filledIn(uri, filled) };
  const listed = section === 'resources' ? [] : listedAs(args.uri, entry.surface.resources);
  return [
    { section, name: uri, arguments: args },
    ...listed.map((name) => ({ section: 'resources' as const, name, arguments: args })),
  ];
}
