/** What all locked servers say of themselves, as one. */
import type { Json, JsonObject } from '../../../schemas/common.ts';
import type { Era, Section, Surface } from '../../../schemas/surface.ts';
import { KEY_OF } from '../../../schemas/surface.ts';
import { offeredIn } from '../../gate/task-terms.ts';
import { isObject } from '../../wire/message.ts';
import { type Names, qualified } from './names.ts';

const INFO = { name: 'lockkeeper', title: 'Lockkeeper gateway', version: '1' };

export interface Hello {
  readonly capabilities: Readonly<Record<Era, JsonObject>>;
  readonly serverInfo: JsonObject;
  readonly instructions: string | null;
}

/** Capabilities that any of them has; instructions under the name of whom they are from. */
export function helloOfAll(surfaces: ReadonlyMap<string, Surface>): Hello {
  const words: string[] = [];
  for (const [alias, surface] of surfaces) {
    if (surface.instructions !== null) words.push(`# ${alias}\n${surface.instructions}`);
  }
  const capabilities = { session: together('session', surfaces), stateless: together('stateless', surfaces) };
  return { capabilities, serverInfo: INFO, instructions: words.length > 0 ? words.join('\n\n') : null };
}

function together(era: Era, surfaces: ReadonlyMap<string, Surface>): JsonObject {
  const capabilities: Record<string, JsonObject> = {};
  for (const surface of surfaces.values())
    for (const [name, value] of Object.entries(offeredIn(era, surface)))
      if (isObject(value)) capabilities[name] = { ...capabilities[name], ...value };
  return capabilities;
}

/** The items of one server's list as they are called among those of all. */
export function shown(
  section: Section,
  items: readonly Json[],
  { alias, names }: { readonly alias: string; readonly names: Names },
): JsonObject[] {
  const key = KEY_OF[section];
  return items.flatMap((item) => {
    const name = isObject(item) ? item[key] : undefined;
    if (!isObject(item) || typeof name !== 'string' || !names.shows(section, alias, name)) return [];
    return section === 'tools' || section === 'prompts'
      ? [{ ...item, name: qualified(alias, name) }]
      : [item];
  });
}
