/** The live surface against the locked one, item by item. Pins outlive absence: an item that returns is still held to its pin. */
import type { Json, JsonObject } from '../../schemas/common.ts';
import type { LockEntry } from '../../schemas/lock.ts';
import { type ItemPin, KEY_OF, pinItem, pointerOf, type Section } from '../../schemas/surface.ts';
import { isObject } from '../wire/message.ts';

type Standing = 'locked' | 'unknown' | 'changed';

export interface Drift {
  readonly section: Section;
  readonly key: string;
  readonly standing: Exclude<Standing, 'locked'>;
  /** Fields that differ from the pin. */
  readonly fields: readonly string[];
  readonly digest: string;
}

/** What of a server was found changed since this session began; only ever grows. */
export interface LiveSurface {
  /** Judges one listed item and remembers a drift. */
  see(section: Section, item: Json): { key: string; drift: Drift | null };
  /** Whether calls that name this item may pass. */
  standing(section: Section, key: string): Standing;
  /** Fields of the item that were last seen changed. */
  changedFields(section: Section, key: string): readonly string[];
}

export function liveSurface(entry: LockEntry): LiveSurface {
  const pins = entry.surface;
  const changed = new Map<string, readonly string[]>();
  const pinOf = (section: Section, key: string): ItemPin | undefined =>
    Object.hasOwn(pins[section], key) ? pins[section][key] : undefined;
  return {
    see: (section, item) => {
      const name = isObject(item) ? item[KEY_OF[section]] : undefined;
      const key = typeof name === 'string' ? name : '';
      const live = pinItem(isObject(item) ? item : {}, pointerOf(section, key), pins.volatile);
      const pin = pinOf(section, key);
      const at = `${section} ${key}`;
      if (pin?.digest === live.digest) {
        changed.delete(at);
        return { key, drift: null };
      }
      const fields = pin ? differing(pin, live) : Object.keys(live.fields);
      changed.set(at, fields);
      return {
        key,
        drift: { section, key, standing: pin ? 'changed' : 'unknown', fields, digest: live.digest },
      };
    },
    standing: (section, key) => {
      if (!pinOf(section, key)) return 'unknown';
      return changed.has(`${section} ${key}`) ? 'changed' : 'locked';
    },
    changedFields: (section, key) => changed.get(`${section} ${key}`) ?? [],
  };
}

function differing(pin: ItemPin, live: ItemPin): string[] {
  const names = new Set([...Object.keys(pin.fields), ...Object.keys(live.fields)]);
  return [...names].filter((name) => pin.fields[name] !== live.fields[name]).sort();
}

/**
 * A listed page without what drifted; the same object when nothing did, so that its bytes can pass untouched. Null for an
 * answer that is no list: nobody could say what is in it.
 */
export function filterPage(
  section: Section,
  result: Json,
  live: LiveSurface,
): { result: Json; drifts: Drift[] } | null {
  const items = isObject(result) ? result[section] : undefined;
  if (!isObject(result) || !Array.isArray(items)) return null;
  const drifts: Drift[] = [];
  const kept = items.filter((item) => {
    const { drift } = live.see(section, item);
    if (drift) drifts.push(drift);
    return drift === null;
  });
  if (drifts.length === 0) return { result, drifts };
  const filtered: JsonObject = { ...result, [section]: kept };
  return { result: filtered, drifts };
}
