/** Where the references of one schema document lead: inside of it, or nowhere. */
import type { Json, JsonObject } from '../../schemas/common.ts';
import { pointerParts } from '../../schemas/surface.ts';

/** Values of one document that are looked through for names. */
const MAX_VALUES = 200_000;
/** Under these stand values, not schemas. */
const VALUES = new Set(['enum', 'const', 'default', 'examples']);

export class References {
  /** Schemas by the address that they give themselves; the document by the empty one. */
  readonly #resources = new Map<string, Json>();
  /** Schemas by `address#anchor`. */
  readonly #anchors = new Map<string, Json>();
  readonly #bases = new Map<Json, string>();
  readonly #dynamic = new Set<string>();
  #left = MAX_VALUES;

  constructor(document: JsonObject) {
    this.#resources.set('', document);
    this.#index(document, '');
  }

  /** Address of the resource that a schema belongs to. */
  baseOf(schema: JsonObject, outer: string): string {
    return this.#bases.get(schema) ?? outer;
  }

  /** The schema that is meant, and the base that it is read under. Throws where it is not in this document. */
  resolve(reference: Json, base: string): { schema: Json; base: string } {
    if (typeof reference !== 'string') throw new Error('a reference that is no text');
    const hash = reference.indexOf('#');
    const address = hash < 0 ? reference : reference.slice(0, hash);
    const fragment = hash < 0 ? '' : decodeURIComponent(reference.slice(hash + 1));
    const to = address === '' ? base : resolved(address, base);
    const resource = this.#resources.get(to);
    if (resource === undefined) throw new Error('a reference to another document');
    if (fragment === '') return { schema: resource, base: to };
    if (!fragment.startsWith('/')) return this.#anchored(`${to}#${fragment}`, to);
    return this.#pointed(resource, fragment, to);
  }

  #anchored(name: string, base: string): { schema: Json; base: string } {
    const schema = this.#anchors.get(name);
    if (schema === undefined) throw new Error('a reference to nothing');
    return { schema, base };
  }

  #pointed(resource: Json, pointer: string, from: string): { schema: Json; base: string } {
    let at: Json | undefined = resource;
    let base = from;
    for (const part of pointerParts(pointer)) {
      if (at === null || typeof at !== 'object' || !Object.hasOwn(at, part))
        throw new Error('a reference to nothing');
      at = Array.isArray(at) ? at[Number(part)] : at[part];
      base = this.#bases.get(at ?? null) ?? base;
    }
    return { schema: at ?? null, base };
  }

  #index(value: Json, outer: string): void {
    if (value === null || typeof value !== 'object') return;
    if (--this.#left < 0) throw new Error(`a schema of more than ${MAX_VALUES} values`);
    if (Array.isArray(value)) {
      for (const item of value) this.#index(item, outer);
      return;
    }
    const base = this.#name(value, outer);
    for (const [key, item] of Object.entries(value)) if (!VALUES.has(key)) this.#index(item, base);
  }

  #name(schema: JsonObject, outer: string): string {
    let base = outer;
    const { $id: id } = schema;
    if (typeof id === 'string' && id !== '' && !id.startsWith('#')) {
      base = resolved(id.replace(/#$/, ''), outer);
      this.#resources.set(base, schema);
      this.#bases.set(schema, base);
    }
    const { $dynamicAnchor: dynamic } = schema;
    // Which of two is meant would depend on the way that led there.
    if (typeof dynamic === 'string') {
      if (this.#dynamic.has(dynamic)) throw new Error('two dynamic schemas with one name');
      this.#dynamic.add(dynamic);
    }
    for (const anchor of [schema.$anchor, schema.$dynamicAnchor, id]) {
      if (typeof anchor !== 'string') continue;
      if (anchor === id && !anchor.startsWith('#')) continue;
      const name = `${base}#${anchor.replace(/^#/, '')}`;
      if (this.#anchors.has(name)) throw new Error('two schemas with one name');
      this.#anchors.set(name, schema);
    }
    return base;
  }
}

function resolved(address: string, base: string): string {
  const against = URL.canParse(base) ? base : 'schema:///';
  return URL.canParse(address, against) ? new URL(address, against).href : address;
}
