/** What several servers list, as one list. */
import type { Json, JsonObject } from '../../../schemas/common.ts';
import { KEY_OF, type Section } from '../../../schemas/surface.ts';
import { isObject } from '../../wire/message.ts';
import { shown } from './merged.ts';
import type { Names } from './names.ts';
import type { Parts } from './parts.ts';
import { shownId } from './tasks.ts';

export interface Listing {
  readonly parts: Parts;
  /** One did not come to an end in time; the others are listed. */
  readonly late: (alias: string) => void;
}

export interface ItemsWanted {
  readonly method: string;
  readonly section: Section;
  readonly params: JsonObject;
}

/** Of each server, in the order of their aliases, what is shown of it under its name. */
export async function itemsOfAll(
  { method, section, params }: ItemsWanted,
  { parts, late, aliases, names }: Listing & { readonly aliases: readonly string[]; readonly names: Names },
): Promise<JsonObject[]> {
  const lists = await Promise.all(
    aliases.map(async (alias) => {
      const items = await parts.of(alias).list(method, { member: section, key: KEY_OF[section] }, params);
      if (!items) late(alias);
      return shown(section, items ?? [], { alias, names });
    }),
  );
  return lists.flat();
}

/** Of each server that made a task for this client, the client’s own: the others are not asked, and none is started for it. */
export async function tasksOfAll({ parts, late }: Listing): Promise<JsonObject[]> {
  const lists = await Promise.all(
    parts.tasked.map(async ([alias, part]) => {
      const tasks = await part.list('tasks/list', { member: 'tasks', key: 'taskId' }, {});
      if (!tasks) late(alias);
      return (tasks ?? []).flatMap((task) =>
        isObject(task) ? [{ ...task, taskId: shownId(alias, task.taskId ?? null) }] : [],
      );
    }),
  );
  return lists.flat();
}

/** The `_meta` of a request, where it has one: our own questions to several servers share no token of the client. */
export function withoutToken(meta: Json | undefined): JsonObject {
  if (meta === undefined) return {};
  if (!isObject(meta)) return { _meta: meta };
  const { progressToken: _, ...rest } = meta;
  return { _meta: rest };
}
