/** Every text of a surface that a model may read, with its pointer. */
import type { Json } from '../../schemas/common.ts';
import { pointerOf, SECTIONS, type Surface } from '../../schemas/surface.ts';

export interface Text {
  readonly at: string;
  readonly text: string;
}

export function textsOf(surface: Surface): Text[] {
  const texts: Text[] = [];
  const walk = (at: string, value: Json | undefined): void => {
    if (typeof value === 'string') texts.push({ at, text: value });
    else if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) walk(`${at}/${index}`, item);
    } else if (value !== null && typeof value === 'object') {
      for (const [key, item] of Object.entries(value)) {
        texts.push({ at: at + pointerOf(key), text: key });
        walk(at + pointerOf(key), item);
      }
    }
  };
  walk('/serverInfo', surface.serverInfo);
  walk('/instructions', surface.instructions);
  for (const section of SECTIONS) walk(pointerOf(section), surface[section]);
  return texts;
}

/** The texts of both starts: what reads otherwise in the second is read as well. */
export function textsOfBoth({
  surface,
  other,
}: {
  readonly surface: Surface;
  readonly other: Surface;
}): Text[] {
  const first = textsOf(surface);
  if (other === surface) return first;
  const known = new Set(first.map(({ at, text }) => `${at} ${text}`));
  return [...first, ...textsOf(other).filter(({ at, text }) => !known.has(`${at} ${text}`))];
}

/** Whether a text stands at its place word for word as it was approved; nothing does in a first release. */
export function asApproved(baseline: { readonly surface: Surface } | null): (text: Text) => boolean {
  if (baseline === null) return () => false;
  const { surface } = baseline;
  const approved = approvals.get(surface) ?? new Set(textsOf(surface).map(({ at, text }) => `${at} ${text}`));
  approvals.set(surface, approved);
  return ({ at, text }) => approved.has(`${at} ${text}`);
}

const approvals = new WeakMap<Surface, ReadonlySet<string>>();
