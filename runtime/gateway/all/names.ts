/** Which server is meant: names with the alias before them, addresses that belong to one server alone. Made from the lock. */
import type { Json } from '../../../schemas/common.ts';
import { LockkeeperError, quote } from '../../../schemas/errors.ts';
import type { Section, Surface } from '../../../schemas/surface.ts';
import { unknownTask } from '../../gate/tasks.ts';
import { matchesTemplate } from '../../gate/template.ts';

const BETWEEN = '__';

export interface Owned {
  readonly alias: string;
  /** As the server itself calls it. */
  readonly name: string;
}

export type Surfaces = ReadonlyMap<string, Pick<Surface, Section>>;

export class Names {
  readonly #named: Readonly<Record<'tools' | 'prompts', ReadonlyMap<string, Owned>>>;
  /** Null: several servers have this address. */
  readonly #addresses = new Map<string, string | null>();
  readonly #aliases: ReadonlySet<string>;
  readonly #templates: readonly { readonly alias: string; readonly template: string }[];

  /** Throws NAME_AMBIGUOUS where two tools or prompts would be called the same. */
  constructor(surfaces: Surfaces) {
    this.#named = { tools: named('tools', surfaces), prompts: named('prompts', surfaces) };
    const templates: { alias: string; template: string }[] = [];
    for (const [alias, { resources, resourceTemplates }] of surfaces) {
      for (const uri of Object.keys(resources))
        this.#addresses.set(uri, this.#addresses.has(uri) ? null : alias);
      for (const template of Object.keys(resourceTemplates)) templates.push({ alias, template });
    }
    this.#templates = templates;
    this.#aliases = new Set(surfaces.keys());
  }

  /** Addresses that more than one server has: nobody is asked for them here. */
  get ambiguous(): string[] {
    return [...this.#addresses].filter(([, alias]) => alias === null).map(([uri]) => uri);
  }

  /** Throws TOOL_REFUSED for a name that no locked server has. */
  owner(section: 'tools' | 'prompts', name: string): Owned {
    const owned = this.#named[section].get(name);
    if (owned) return owned;
    throw new LockkeeperError('TOOL_REFUSED', {
      expected: `one of the locked ${section}, with the name of its server before it`,
      found: quote(name, 200),
      next: `Ask for the list: ${section}/list`,
    });
  }

  /** The server before the id of a task. Throws TASK_UNKNOWN. */
  server(alias: string, taskId: Json | undefined): string {
    if (this.#aliases.has(alias)) return alias;
    throw unknownTask(taskId);
  }

  /** Whose address it is. Throws TOOL_REFUSED where nobody has it, NAME_AMBIGUOUS where several may. */
  addressee(uri: string): string {
    const known = this.#addresses.get(uri);
    if (typeof known === 'string') return known;
    const fitting = new Set(
      this.#templates
        .filter(({ template }) => template === uri || matchesTemplate(template, uri))
        .map(({ alias }) => alias),
    );
    const [only] = fitting;
    if (known === undefined && only !== undefined && fitting.size === 1) return only;
    if (known === undefined && only === undefined) {
      throw new LockkeeperError('TOOL_REFUSED', {
        expected: 'an address of one of the locked servers',
        found: quote(uri, 200),
        next: 'Ask for the lists: resources/list and resources/templates/list',
      });
    }
    throw ambiguous(quote(uri, 200), 'Ask the server itself, at its own address of the gateway');
  }

  /** Whether an item of this server may be shown among those of all. */
  shows(section: Section, alias: string, key: string): boolean {
    return section !== 'resources' || this.#addresses.get(key) === alias;
  }
}

export function qualified(alias: string, name: string): string {
  return `${alias}${BETWEEN}${name}`;
}

function named(section: 'tools' | 'prompts', surfaces: Surfaces): ReadonlyMap<string, Owned> {
  const all = new Map<string, Owned>();
  for (const [alias, surface] of surfaces) {
    for (const name of Object.keys(surface[section])) {
      const whole = qualified(alias, name);
      if (all.has(whole))
        throw ambiguous(quote(whole, 200), 'Give one of the servers another name in lockkeeper.json');
      all.set(whole, { alias, name });
    }
  }
  return all;
}

function ambiguous(found: string, next: string): LockkeeperError {
  return new LockkeeperError('NAME_AMBIGUOUS', {
    expected: 'a name that one locked server alone has',
    found: `${found}, which several have`,
    next,
  });
}
