/** What approved releases are held to today. */
import { NPM_PIN, SIGSTORE_PIN } from '../scanner/provenance/trust.ts';
import { rulesOfChecks } from '../scanner/rules.ts';
import { digestOf } from '../schemas/json.ts';
import { newestAdvisory } from './db/advisories.ts';
import type { ReleaseRow } from './db/releases.ts';
import type { Deps } from './deps.ts';

/** All that every release is judged by today, as one digest. Of advisories: whether there are any at all; of the root: its pins. */
export async function standardOf({
  pool,
  policy,
  trust,
}: Pick<Deps, 'pool' | 'policy' | 'trust'>): Promise<string> {
  const advisories = (await newestAdvisory(pool)) !== null;
  const { trustRoots } = (await trust.current()).trusted.root;
  const pins = [SIGSTORE_PIN, NPM_PIN].map((name) => trustRoots[name] ?? null);
  return digestOf({ rules: await rulesOfChecks(), policy: policy.scan, advisories, pins });
}

/** Was it approved, or is it to be approved again? */
export function isReliedOn({ state, lapsed_at: lapsed }: Pick<ReleaseRow, 'state' | 'lapsed_at'>): boolean {
  return state === 'approved' || (state === 'in_review' && lapsed !== null);
}
