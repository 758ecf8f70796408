/**
 * URI templates (RFC 6570) as MCP uses them, turned round: could this URI have come from that template? Decided by
 * walking both with the set of places the template may have got to, so that no template and no URI takes long.
 */

import type { JsonObject } from '../../schemas/common.ts';

interface Variable {
  readonly allowed: RegExp;
  readonly least: 0 | 1;
  /** What it begins with, where it is not empty. */
  readonly first?: string;
}

/** A piece of a template: text that stands as it is, or characters of a kind, so many times. */
type Piece = { readonly text: string } | Variable;

const cache = new Map<string, readonly Piece[]>();
const CACHED = 1000;
const MAX_URI = 4096;
const MAX_TEMPLATE = 1024;
/** A variable of the simple kind stands for a part of a path. */
const SIMPLE = /[^/?#\s]/;
const RESERVED = /\S/;
const QUERY = /[^#\s]/;
const PATH = /[^?#\s]/;

/** Simple, reserved, fragment, path and query expressions. What is longer than 4,096 characters fits nothing. */
export function matchesTemplate(template: string, uri: string): boolean {
  if (uri.length > MAX_URI || template.length > MAX_TEMPLATE) return false;
  let pieces = cache.get(template);
  if (!pieces) {
    if (cache.size >= CACHED) cache.clear();
    pieces = piecesOf(template);
    cache.set(template, pieces);
  }
  let places = new Set([0]);
  for (const piece of pieces) {
    places = 'text' in piece ? afterText(places, piece.text, uri) : afterVariable(places, piece, uri);
    if (places.size === 0) return false;
  }
  return places.has(uri.length);
}

/** The beginning of the URI that these values make of a template: up to the first variable that has none, or is of no simple kind. */
export function filledIn(template: string, values: JsonObject): string {
  let uri = '';
  for (const part of template.split(/(\{[^{}]*\})/)) {
    const [, reserved, name = ''] = /^\{(\+?)([\w.%]+)\}$/.exec(part) ?? [];
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (!part.startsWith('{')) uri += part;
    else if (typeof value !== 'string') return uri;
    else uri += reserved === '+' ? value : encodeURIComponent(value.toWellFormed());
  }
  return uri;
}

function piecesOf(template: string): Piece[] {
  return template
    .split(/(\{[^{}]*\})/)
    .filter((part) => part !== '')
    .flatMap((part): Piece[] => {
      const [, operator = '', names] = /^\{([+#./;?&]?)([^{}]+)\}$/.exec(part) ?? [];
      if (names === undefined) return [{ text: part }];
      if (operator === '+' || operator === '#') return [{ allowed: RESERVED, least: 0 }];
      if (operator === '?' || operator === '&') return [{ allowed: QUERY, least: 0, first: operator }];
      if (operator === '/') return [{ allowed: PATH, least: 0, first: '/' }];
      return [{ allowed: SIMPLE, least: 1 }];
    });
}

function afterText(places: ReadonlySet<number>, text: string, uri: string): Set<number> {
  const next = new Set<number>();
  for (const at of places) if (uri.startsWith(text, at)) next.add(at + text.length);
  return next;
}

/** Every place that a run of allowed characters from one of these places may end at. */
function afterVariable(
  places: ReadonlySet<number>,
  { allowed, least, first }: Variable,
  uri: string,
): Set<number> {
  const next = new Set<number>();
  let open = false;
  for (let at = 0; at <= uri.length; at++) {
    const char = uri.charAt(at);
    if (open) next.add(at);
    if (places.has(at)) {
      if (least === 0) next.add(at);
      if (first === undefined || char === first) open = true;
    }
    if (!allowed.test(char)) open = false;
  }
  return next;
}
