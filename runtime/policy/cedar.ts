/** Cedar, as its own library evaluates it. What it cannot read or evaluate permits nothing. */
import { setFlagsFromString } from 'node:v8';
import type * as wasm from '@cedar-policy/cedar-wasm/nodejs';
import { sha256 } from '../../schemas/json.ts';
import { cedar } from '../lazy.ts';

export type PolicyJson = wasm.PolicyJson;
export type Expression = wasm.Expr;
export type Entity = wasm.EntityJson;
export type Uid = wasm.TypeAndId;
type ContextJson = wasm.Context;

/** Rough bytes that a function runs before it is compiled again, for speed; V8's own figure is 13,000,000. */
const PATIENCE = 1_000_000_000;
const USUAL = 13_000_000;

let loaded: ReturnType<typeof cedar> | null = null;

/**
 * Loaded for the first policy. Compiling what ran only at the start for speed would hold 20 MiB and more for good, and
 * decisions are kept: so it waits for functions that go on running.
 */
function engine(): ReturnType<typeof cedar> {
  if (loaded === null) {
    setFlagsFromString(`--wasm-tiering-budget=${PATIENCE}`);
    loaded = cedar();
    setFlagsFromString(`--wasm-tiering-budget=${USUAL}`);
  }
  return loaded;
}

/** What is wrong with a text, and the character that it is wrong at. */
export interface Defect {
  readonly message: string;
  readonly at: number;
}

function defectOf(errors: readonly wasm.DetailedError[]): Defect {
  const [first] = errors;
  const [place] = first?.sourceLocations ?? [];
  const where = place?.label ? `: ${place.label}` : '';
  const help = first?.help ? ` (${first.help})` : '';
  return { message: `${first?.message ?? 'no reason'}${where}${help}`, at: place?.start ?? 0 };
}

/** The single policies of a text. */
export function splitPolicies(text: string): string[] | Defect {
  const answer = engine().policySetTextToParts(text);
  if (answer.type === 'failure') return defectOf(answer.errors);
  if (answer.policy_templates.length > 0)
    return { message: 'a template (?principal or ?resource)', at: Math.max(0, text.indexOf('?')) };
  return answer.policies;
}

export function policyJson(text: string): PolicyJson | Defect {
  const answer = engine().policyToJson(text);
  return answer.type === 'failure' ? defectOf(answer.errors) : answer.json;
}

export function isDefect(value: object | string[]): value is Defect {
  return 'message' in value;
}

/** What is wrong with policies under a schema, by the id of each. */
export function validate(
  policies: Readonly<Record<string, string>>,
  schema: string,
): { readonly id: string; readonly defect: Defect }[] {
  const answer = engine().validate({ schema, policies: { staticPolicies: { ...policies } } });
  if (answer.type === 'failure') return [{ id: '', defect: defectOf(answer.errors) }];
  return answer.validationErrors.map(({ policyId, error }) => ({ id: policyId, defect: defectOf([error]) }));
}

/** Sets that were read once, by their contents. They stay in the engine's memory, so their number is bounded. */
const read = new Map<string, string>();
export const MAX_SETS = 4096;

export function setsRead(): number {
  return read.size;
}

/** Reads a set once, however often it is asked for. Throws for one that cannot be read. */
export function prepare(policies: Readonly<Record<string, string>>): string {
  const key = sha256(JSON.stringify(policies));
  const known = read.get(key);
  if (known !== undefined) return known;
  const answer = engine().preparsePolicySet(key, { staticPolicies: { ...policies } });
  if (answer.type === 'failure')
    throw new Error(`a policy set that was read before: ${defectOf(answer.errors).message}`);
  read.set(key, key);
  return key;
}

export interface Question {
  readonly principal: Uid;
  readonly action: Uid;
  readonly resource: Uid;
  readonly context: ContextJson;
  readonly entities: readonly Entity[];
}

/** `error`: nothing was decided, and so it is denied. */
export interface Verdict {
  readonly allowed: boolean;
  /** Ids of the policies that decided. */
  readonly reasons: readonly string[];
  readonly error: string | null;
}

export function ask(set: string, { entities, ...question }: Question): Verdict {
  try {
    const answer = engine().statefulIsAuthorized({
      ...question,
      preparsedPolicySetId: set,
      entities: [...entities],
    });
    if (answer.type === 'failure')
      return { allowed: false, reasons: [], error: defectOf(answer.errors).message };
    const { decision, diagnostics } = answer.response;
    const [wrong] = diagnostics.errors;
    if (wrong) return { allowed: false, reasons: [wrong.policyId], error: wrong.error.message };
    return { allowed: decision === 'allow', reasons: diagnostics.reason, error: null };
  } catch (thrown) {
    return { allowed: false, reasons: [], error: thrown instanceof Error ? thrown.message : 'no reason' };
  }
}
