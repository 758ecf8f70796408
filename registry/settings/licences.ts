/** Licences that a company takes, as a setting names them, and what its policy says then. */
import { isLicenceId } from '../../scanner/installed/licence.ts';
import { quote } from '../../schemas/errors.ts';
import type { Policy } from '../../schemas/policy.ts';
import { badSetting } from './bad.ts';

const CHECK = 'LK-LIC-01';

/** Null for no such setting. Throws CONFIG_INVALID for what is no id: it would permit nothing, unsaid. */
export function licencesOf(env: Readonly<Record<string, string | undefined>>): string[] | null {
  const given = env.LOCKKEEPER_LICENCES;
  if (given === undefined) return null;
  const list = [...new Set(given.split(',').map((one) => one.trim()))];
  const bad = list.find((one) => !isLicenceId(one));
  if (bad === undefined) return list;
  throw badSetting(
    'LOCKKEEPER_LICENCES as SPDX ids, comma-separated, such as MIT,Apache-2.0',
    quote(bad, 100),
  );
}

/** Whoever names what they take means it: the check gates then. */
export function withLicences(scan: Policy['scan'], licences: readonly string[] | null): Policy['scan'] {
  if (licences === null) return scan;
  return { ...scan, gates: [...new Set([...scan.gates, CHECK])], licences: [...licences] };
}
