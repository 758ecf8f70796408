/** What the lock says of tasks: which methods are there in which protocol era, and which tools may be called as one. */
import type { Json, JsonObject } from '../../schemas/common.ts';
import type { LockEntry } from '../../schemas/lock.ts';
import type { Era, Surface } from '../../schemas/surface.ts';
import { isObject } from '../wire/message.ts';

/** The extension of the stateless era; sessions have tasks in their core. */
export const EXTENSION = 'io.modelcontextprotocol/tasks';

/** What of tasks a locked server has in an era. */
export interface TaskTerms {
  readonly methods: ReadonlySet<string>;
  /** Whether the locked tool may be called as a task. */
  makes(tool: string): boolean;
}

const NONE: ReadonlySet<string> = new Set();

/** From the lock alone: nothing that the server was not seen with, and across eras only what both have. */
export function taskTerms(
  { capabilities, tools }: Pick<Surface, 'capabilities' | 'tools'>,
  { surface }: Pick<LockEntry, 'surface'>,
  era: Era,
): TaskTerms {
  const spoken = surface.capture.eras.includes(era);
  const methods = spoken ? methodsOf(capabilities, era) : heldIn(era, capabilities);
  const shown = { capabilities, tools };
  return {
    methods,
    makes: (tool) => {
      if (methods.size === 0) return false;
      if (era === 'stateless' && spoken) return supportOf(shown, tool) !== 'forbidden';
      const said = taskSupport(shown, tool);
      return said === 'optional' || said === 'required';
    },
  };
}

/** A stateless client holds tasks of a server with sessions; the other way round there is no asking for one. */
function heldIn(era: Era, capabilities: JsonObject): ReadonlySet<string> {
  const { tasks } = capabilities;
  if (era === 'session' || !isObject(tasks) || !makesOfCalls(capabilities)) return NONE;
  return new Set(['tasks/get', 'tasks/update', ...(isObject(tasks.cancel) ? ['tasks/cancel'] : [])]);
}

function makesOfCalls(capabilities: JsonObject): boolean {
  return memberOf(capabilities, ['tasks', 'requests', 'tools', 'call']) !== undefined;
}

type Shown = Pick<Surface, 'capabilities' | 'tools'>;

function supportOf({ tools }: Shown, tool: string): Json | undefined {
  const { execution } = (Object.hasOwn(tools, tool) && tools[tool]) || {};
  return isObject(execution) ? execution.taskSupport : undefined;
}

/** What a locked tool of a server with sessions says of being called as a task; undefined where none of them is. */
export function taskSupport(shown: Shown, tool: string): Json | undefined {
  return makesOfCalls(shown.capabilities) ? supportOf(shown, tool) : undefined;
}

function methodsOf(capabilities: JsonObject, era: Era): ReadonlySet<string> {
  if (era === 'stateless') {
    return memberOf(capabilities, ['extensions', EXTENSION]) === undefined
      ? NONE
      : new Set(['tasks/get', 'tasks/update', 'tasks/cancel']);
  }
  const { tasks } = capabilities;
  if (!isObject(tasks)) return NONE;
  const also = (['list', 'cancel'] as const).filter((name) => isObject(tasks[name]));
  return new Set(['tasks/get', 'tasks/result', ...also.map((name) => `tasks/${name}`)]);
}

/** Whether a greeting of this era offers tasks. */
export function offersTasks(era: Era, capabilities: JsonObject): boolean {
  return methodsOf(capabilities, era).size > 0;
}

export function memberOf(value: JsonObject, path: readonly string[]): JsonObject | undefined {
  let at: Json | undefined = value;
  for (const name of path) at = isObject(at) && Object.hasOwn(at, name) ? at[name] : undefined;
  return isObject(at) ? at : undefined;
}

/** Locked capabilities as a client of this era is told them: of tasks, what it can hold. */
export function offeredIn(
  era: Era,
  { capabilities, capture }: { capabilities: JsonObject; capture: Pick<Surface['capture'], 'eras'> },
): JsonObject {
  const spoken = capture.eras.includes(era);
  const { tasks, extensions, ...rest } = capabilities;
  const { [EXTENSION]: extension, ...others } = isObject(extensions) ? extensions : {};
  const keepsTasks = tasks !== undefined && spoken && era === 'session';
  if (!spoken && heldIn(era, capabilities).size > 0)
    return { ...rest, extensions: { ...others, [EXTENSION]: {} } };
  const keepsExtension = extension === undefined || spoken;
  return {
    ...rest,
    ...(keepsTasks ? { tasks } : {}),
    ...(extensions === undefined ? {} : { extensions: keepsExtension ? extensions : others }),
  };
}
