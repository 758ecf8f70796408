/** What approved releases are held to today. */
import { rulesOfChecks } from '../scanner/rules.ts';
import { digestOf } from '../schemas/json.ts';
import { newestAdvisory } from './db/advisories.ts';
import type { ReleaseRow } from './db/releases.ts';
import type { Deps } from './deps.ts';

/** All that every release is judged by today, as one digest. Of advisories: whether there are any at all. */
export async function standardOf({ pool, policy }: Pick<Deps, 'pool' | 'policy'>): Promise<string> {
  const advisories = (await newestAdvisory(pool)) !== null;
  return digestOf({ rules: await rulesOfChecks(), policy: policy.scan, advisories });
}

/** Was it approved, or is it to be approved again? */
export function isReliedOn({ state, lapsed_at: lapsed }: Pick<ReleaseRow, 'state' | 'lapsed_at'>): boolean {
  return state === 'approved' || (state === 'in_review' && lapsed !== null);
}
