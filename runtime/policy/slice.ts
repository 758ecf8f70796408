/** Which single policies can apply to an item and a principal: a call is judged by these alone. */
import type { PolicyJson, Uid } from './cedar.ts';
import type { Compiled } from './compile.ts';
import { fixedValue } from './expression.ts';
import { type Principal, parentsOf } from './principal.ts';
import { ACTION_OF } from './schema.ts';
import type { Known } from './world.ts';

/** Sound: what is left out would not have applied, whatever the call says. */
export function sliceFor(
  policies: readonly Compiled[],
  item: Known,
  environment: string,
): readonly Compiled[] {
  return policies.filter(({ json }) => fitsItem(json, item) && mayHold(json, item, environment));
}

export function sliceOf(policies: readonly Compiled[], principal: Principal): readonly Compiled[] {
  return policies.filter(({ json }) => fits(json.principal, principal.uid, parentsOf(principal)));
}

function fitsItem({ action, resource }: PolicyJson, { uid, server, kind }: Known): boolean {
  const acts = fits(action, { type: 'Action', id: ACTION_OF[kind] }, []);
  return acts && fits(resource, uid, [{ type: 'Server', id: server }]);
}

type Scope = PolicyJson['principal'] | PolicyJson['action'] | PolicyJson['resource'];
type Reference = Uid | { readonly __entity: Uid };

function fits(scope: Scope, uid: Uid, parents: readonly Uid[]): boolean {
  if (scope.op === 'All') return true;
  if (scope.op === '==') return 'entity' in scope && same(scope.entity, uid);
  const inside = (entity: Reference): boolean => [uid, ...parents].some((one) => same(entity, one));
  if (scope.op === 'is') {
    if (scope.entity_type !== uid.type) return false;
    return scope.in === undefined || ('entity' in scope.in && inside(scope.in.entity));
  }
  if ('entities' in scope) return scope.entities.some(inside);
  return 'entity' in scope && inside(scope.entity);
}

function same(reference: Reference, { type, id }: Uid): boolean {
  const uid = '__entity' in reference ? reference.__entity : reference;
  return uid.type === type && uid.id === id;
}

function mayHold({ conditions }: PolicyJson, item: Known, environment: string): boolean {
  return conditions.every(({ kind, body }) => {
    const value = fixedValue(body, { item, environment });
    return kind === 'when' ? value !== false : value !== true;
  });
}
