/** Every text of a message's content, with its place; and the message with some of them replaced. */
import type { Json } from '../../schemas/common.ts';

/** `name`: of the member that the text is the value of. `at` is asked for only where something was found. */
export type Visit = (text: string, at: () => string, name: string | undefined) => void;

/**
 * Values and names alike. What an image, a sound or a binary resource carries is no text: only what is in base64 is passed
 * over, whatever it says it is.
 */
export function eachText(value: Json, visit: Visit, skip?: string): void {
  const path: (string | number)[] = [];
  const at = (): string => path.map(shown).join('');
  const walk = (item: Json, name: string | undefined): void => {
    if (typeof item === 'string') return isBinary(item, name) ? undefined : visit(item, at, name);
    if (item === null || typeof item !== 'object') return;
    if (Array.isArray(item)) {
      for (let index = 0; index < item.length; index++) {
        path.push(index);
        walk(item[index] ?? null, undefined);
        path.pop();
      }
      return;
    }
    for (const key of Object.keys(item)) {
      if (path.length === 0 && key === skip) continue;
      path.push(key);
      if (!PLAIN.test(key)) visit(key, at, undefined);
      walk(item[key] ?? null, key);
      path.pop();
    }
  };
  walk(value, undefined);
}

/** A name that says nothing. */
const PLAIN = /^[A-Za-z_$]{1,24}\d{0,2}$/;

/** A place names what everybody knows; other names are content themselves. */
function shown(part: string | number): string {
  return typeof part === 'number' || PLAIN.test(part) ? `/${part}` : '/*';
}

/** A JSON pointer as it may be told. */
export function shownPlace(pointer: string): string {
  const parts = pointer.split('/').slice(1);
  return parts.map((part) => (/^\d+$/.test(part) ? `/${part}` : shown(part))).join('');
}

function isBinary(text: string, name: string | undefined): boolean {
  return (name === 'data' || name === 'blob') && text.length >= 256 && /^[A-Za-z0-9+/_-]+={0,2}$/.test(text);
}

/** The bytes of a message with texts replaced, names too; everything else as it came. The id is nobody's content. */
export function rewritten(bytes: Buffer, replaced: ReadonlyMap<string, string>, id: unknown): Buffer {
  const text = bytes.toString('utf8');
  let out = '';
  let from = 0;
  for (let at = text.indexOf('"'); at >= 0; ) {
    const end = literalEnd(text, at);
    const literal = text.slice(at, end);
    const said = literal.includes('\\') ? (JSON.parse(literal) as string) : literal.slice(1, -1);
    const other = said === id ? undefined : replaced.get(said);
    if (other !== undefined) {
      out += text.slice(from, at) + JSON.stringify(other);
      from = end;
    }
    at = text.indexOf('"', end);
  }
  return Buffer.from(out + text.slice(from), 'utf8');
}

function literalEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 34) return at + 1;
    if (code === 92) at++;
  }
  return text.length;
}
