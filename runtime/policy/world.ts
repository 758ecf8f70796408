/** The things that a policy judges: what the lock pins, with annotations and labels from the lock and never from the wire. */
import { isObject, type JsonObject } from '../../schemas/common.ts';
import type { LockEntry } from '../../schemas/lock.ts';
import type { ToolLabel } from '../../schemas/release.ts';
import { pointerOf, SECTIONS, type Section, type Surface } from '../../schemas/surface.ts';
import type { Entity, Uid } from './cedar.ts';
import type { Names } from './rules.ts';
import { ENTITY_OF, itemId } from './schema.ts';

/** `server` is an alias of the lock. */
export interface Item {
  readonly server: string;
  readonly kind: Section;
  readonly name: string;
}

export interface Known extends Item {
  readonly uid: Uid;
  readonly attributes: Readonly<Record<string, string | boolean>>;
  readonly entity: Entity;
}

export type LockedTexts = Pick<Surface, 'tools' | 'volatile'>;
export type LockedEntry = Pick<LockEntry, 'server' | 'surface' | 'permissions'>;

/** What tools without a reviewed label count as in toxic flows. */
export type Unlabelled = 'annotations' | 'all' | 'none';

export function namesOf(entries: ReadonlyMap<string, LockedEntry>): Names {
  const servers = new Map(
    [...entries].map(([alias, { server, surface }]) => {
      const items = {
        tools: Object.keys(surface.tools),
        prompts: Object.keys(surface.prompts),
        resources: Object.keys(surface.resources),
        resourceTemplates: Object.keys(surface.resourceTemplates),
      };
      return [alias, { server, items }] as const;
    }),
  );
  return { servers };
}

export function keyOf({ server, kind, name }: Item): string {
  return `${kind} ${itemId(server, name)}`;
}

/** Every item of the servers whose texts are here. Of the others nothing is known, and so nothing is permitted. */
export function worldOf(
  entries: ReadonlyMap<string, LockedEntry>,
  texts: ReadonlyMap<string, LockedTexts>,
  unlabelled: Unlabelled,
): Map<string, Known> {
  const world = new Map<string, Known>();
  for (const [server, entry] of entries) {
    const text = texts.get(server);
    if (text === undefined) continue;
    const namesOf = (kind: Section): string[] => Object.keys(entry.surface[kind]);
    const tools = namesOf('tools').map((name) =>
      knownOf({ server, kind: 'tools', name }, traitsOf(name, { entry, text, unlabelled })),
    );
    const sendsOut = sends(tools, unlabelled);
    const others = SECTIONS.filter((kind) => kind !== 'tools').flatMap((kind) =>
      // A fixed address carries nothing of what was read; what is put into a template or a prompt does.
      namesOf(kind).map((name) => knownOf({ server, kind, name }, kind === 'resources' ? {} : { sendsOut })),
    );
    for (const known of [...tools, ...others]) world.set(keyOf(known), known);
  }
  return world;
}

function knownOf(item: Item, traits: Readonly<Record<string, boolean>>): Known {
  const uid = { type: ENTITY_OF[item.kind], id: itemId(item.server, item.name) };
  const attributes = { name: item.name, server: item.server, ...traits };
  const parents = [{ type: 'Server', id: item.server }];
  return { ...item, uid, attributes, entity: { uid, attrs: { ...attributes }, parents } };
}

interface Locked {
  readonly entry: LockedEntry;
  readonly text: LockedTexts;
  readonly unlabelled: Unlabelled;
}

/** What is missing, or was seen to vary, counts as the dangerous value. */
function traitsOf(tool: string, { entry, text, unlabelled }: Locked): Record<string, boolean> {
  const hints = hintsOf(tool, text);
  const readOnly = hints.readOnlyHint === true;
  const destructive = hints.destructiveHint === true || (!readOnly && hints.destructiveHint !== false);
  const openWorld = hints.openWorldHint !== false;
  const labels = labelsOf(tool, entry) ?? impliedLabels(unlabelled, openWorld);
  return {
    readOnly,
    destructive,
    openWorld,
    readsUntrusted: labels.includes('reads-untrusted'),
    readsPrivate: labels.includes('reads-private'),
    sendsOut: labels.includes('sends-out'),
  };
}

function hintsOf(tool: string, { tools, volatile }: LockedTexts): JsonObject {
  const at = pointerOf('tools', tool, 'annotations');
  const varies = volatile.some(
    (pointer) => `${at}/`.startsWith(`${pointer}/`) || pointer.startsWith(`${at}/`),
  );
  const item = Object.hasOwn(tools, tool) ? tools[tool] : undefined;
  const hints = item?.annotations;
  const known = isObject(hints);
  return known && !varies ? hints : {};
}

/** The labels that its reviewers approved; undefined where they said nothing of this tool. */
export function labelsOf(
  tool: string,
  { permissions }: Pick<LockEntry, 'permissions'>,
): readonly ToolLabel[] | undefined {
  const { labels = {} } = permissions;
  return Object.hasOwn(labels, tool) ? labels[tool] : undefined;
}

/** What these bring together; without any tool it is as one that says nothing of itself. */
export function readsOf(
  items: readonly Known[],
  unlabelled: Unlabelled,
): { readonly untrusted: boolean; readonly private: boolean; readonly sends: boolean } {
  const tools = items.filter(({ kind }) => kind === 'tools');
  const implied = tools.length === 0 ? impliedLabels(unlabelled, true) : [];
  return {
    untrusted:
      implied.includes('reads-untrusted') || tools.some((tool) => tool.attributes.readsUntrusted === true),
    private: implied.includes('reads-private') || tools.some((tool) => tool.attributes.readsPrivate === true),
    sends: sends(tools, unlabelled),
  };
}

/** Whether what is no tool of a server sends out: as all of its tools together. */
function sends(tools: readonly Known[], unlabelled: Unlabelled): boolean {
  if (tools.length === 0) return impliedLabels(unlabelled, true).includes('sends-out');
  return tools.some((tool) => tool.attributes.sendsOut === true);
}

/** An open world writes what one reads and hears what one sends; what is not of the open world is one's own. */
function impliedLabels(unlabelled: Unlabelled, openWorld: boolean): readonly ToolLabel[] {
  if (unlabelled === 'none') return [];
  if (unlabelled === 'all') return ['reads-untrusted', 'reads-private', 'sends-out'];
  return openWorld ? ['reads-untrusted', 'sends-out'] : ['reads-private'];
}
