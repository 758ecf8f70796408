/** Step 6: what a request names is in the lock, and on the wire as it is there. */
import type { Json } from '../../schemas/common.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import type { Section } from '../../schemas/surface.ts';
import { isObject, type Request } from '../wire/message.ts';
import type { GateState } from './gate.ts';
import type { MethodRule } from './methods.ts';
import { drifted, notLocked } from './refusals.ts';
import { matchesTemplate } from './template.ts';

/** The item that a request names. */
export function targetOf(rule: MethodRule, message: Request): string | undefined {
  const value = rule.item ? message.params[rule.item.parameter] : undefined;
  return typeof value === 'string' ? value : undefined;
}

/** Step 6: it is locked and unchanged. */
export function judgeItem(
  rule: MethodRule,
  target: string | undefined,
  state: GateState,
): LockkeeperError | null {
  if (!rule.item) return null;
  const { section, parameter } = rule.item;
  if (target === undefined) {
    return new LockkeeperError('FRAME_INVALID', {
      expected: `a ${parameter}`,
      found: 'none',
      next: 'Correct the sender',
    });
  }
  const standing = state.live.standing(section, target);
  if (standing === 'locked') return null;
  if (section === 'resources' && standing === 'unknown') return judgeTemplates(target, state);
  return standing === 'changed' ? drifted(section, target, state) : notLocked(section, target, state.entry);
}

/** A resource that is not listed may still be one of a locked template that is unchanged. */
function judgeTemplates(uri: string, state: GateState): LockkeeperError | null {
  const templates = Object.keys(state.entry.surface.resourceTemplates);
  const fits = templates.some(
    (template) =>
      matchesTemplate(template, uri) && state.live.standing('resourceTemplates', template) === 'locked',
  );
  return fits ? null : notLocked('resources', uri, state.entry);
}

/** completion/complete names a prompt or a template: it must be a locked one. */
export function judgeReference(message: Request, state: GateState): LockkeeperError | null {
  if (message.method !== 'completion/complete') return null;
  const ref: Json | undefined = message.params.ref;
  const [section, key]: [Section, Json | undefined] =
    isObject(ref) && ref.type === 'ref/prompt'
      ? ['prompts', ref.name]
      : ['resourceTemplates', isObject(ref) ? ref.uri : undefined];
  if (typeof key === 'string' && state.live.standing(section, key) === 'locked') return null;
  if (
    typeof key === 'string' &&
    section === 'resourceTemplates' &&
    state.live.standing('resources', key) === 'locked'
  )
    return null;
  return notLocked(section, typeof key === 'string' ? key : '(none)', state.entry);
}

/** Resources of one subscription. */
const MOST_SUBSCRIBED = 1000;
const RESOURCE: MethodRule = { item: { section: 'resources', parameter: 'uri' } };

/** What a stateless client subscribes to in one request: each resource of it as one that is read. */
export function judgeSubscribed(message: Request, state: GateState): LockkeeperError | null {
  const uris = subscribedTo(message);
  if (uris === null) {
    return new LockkeeperError('FRAME_INVALID', {
      expected: `resourceSubscriptions as a list of at most ${MOST_SUBSCRIBED} addresses`,
      found: 'something else',
      next: 'Correct the sender',
    });
  }
  for (const uri of uris) {
    const error = judgeItem(RESOURCE, uri, state);
    if (error) return error;
  }
  return null;
}

/** Their addresses; null for what is no list of them. */
export function subscribedTo({ method, params }: Request): readonly string[] | null {
  if (method !== 'subscriptions/listen' || params.notifications === undefined) return [];
  if (!isObject(params.notifications)) return null;
  const { resourceSubscriptions: uris = [] } = params.notifications;
  const areTexts = Array.isArray(uris) && uris.every((uri) => typeof uri === 'string');
  return areTexts && uris.length <= MOST_SUBSCRIBED ? uris : null;
}
