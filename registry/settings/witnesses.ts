/** Who cosigns checkpoints, as the settings name them. */
import { quote } from '../../schemas/errors.ts';
import { readWitnessKey } from '../../schemas/witness.ts';
import type { Witness } from '../checkpoints/witness-client.ts';
import { badSetting } from './bad.ts';

export interface WitnessSetting {
  readonly list: readonly Witness[];
  readonly threshold: number;
}

const WITNESS = '[!-*\\-.-?A-~]{1,200}\\+[0-9a-f]{8}\\+[A-Za-z0-9+/]{44}@https?://[^\\s,@]+';
export const WITNESSES_PATTERN = new RegExp(`^(none|${WITNESS}(,${WITNESS})*)$`);

/** More than half by default: any two quorums share a witness, and that one does not sign two histories. */
export function witnessesOf(env: Readonly<Record<string, string | undefined>>): WitnessSetting | null {
  const { LOCKKEEPER_WITNESSES: given, LOCKKEEPER_WITNESS_THRESHOLD: count } = env;
  const list = (given === undefined || given === 'none' ? [] : given.split(',')).map((item): Witness => {
    const at = item.indexOf('@');
    return { key: item.slice(0, at), url: item.slice(at + 1) };
  });
  const names = list.map(({ key }) => readWitnessKey(key).name);
  if (new Set(names).size < names.length)
    throw badSetting('LOCKKEEPER_WITNESSES with each name once', names.join(', '));
  const bad = list.find(({ url }) => !URL.canParse(url));
  if (bad) throw badSetting('LOCKKEEPER_WITNESSES with addresses after @', quote(bad.url));
  const threshold = Number(count ?? (list.length === 0 ? 0 : Math.floor(list.length / 2) + 1));
  if (list.length > 32) throw badSetting('at most 32 LOCKKEEPER_WITNESSES', `${list.length}`);
  if (threshold > list.length)
    throw badSetting(
      `LOCKKEEPER_WITNESS_THRESHOLD of at most ${list.length}, the witnesses given`,
      `${threshold}`,
    );
  return given === undefined ? null : { list, threshold };
}
