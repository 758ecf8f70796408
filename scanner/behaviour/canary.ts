/** Values that stand nowhere else in the world, and finding them again, however they were dressed. */
import { randomBytes } from 'node:crypto';

export interface Canary {
  /** For a person: `~/.ssh/id_rsa` or `$GITHUB_TOKEN`. */
  readonly name: string;
  /** 32 small hexadecimal digits. */
  readonly token: string;
  /** A value that the release asked for: it may go where the release may go. */
  readonly asked: boolean;
}

export function newCanary(name: string, asked = false): Canary {
  return { name, asked, token: randomBytes(16).toString('hex') };
}

/** Characters of one text that are looked through. */
const MAX_TEXT = 4 * 1024 * 1024;

/** Names of those that are in a text: as they are in any case, backwards, in hexadecimal or in base64 at any offset. */
export function canariesIn(text: string, canaries: readonly Canary[]): string[] {
  const raw = text.slice(0, MAX_TEXT);
  const small = raw.toLowerCase();
  return canaries.filter(({ token }) => isIn(token, raw, small)).map(({ name }) => name);
}

function isIn(token: string, raw: string, small: string): boolean {
  const backwards = [...token].reverse().join('');
  if ([token, backwards, Buffer.from(token).toString('hex')].some((form) => small.includes(form)))
    return true;
  return [0, 1, 2].some((offset) => raw.includes(base64At(token, offset)));
}

/** The characters of base64 that the token alone decides, when so many bytes stand before it. */
function base64At(token: string, offset: number): string {
  const whole = Buffer.concat([Buffer.alloc(offset), Buffer.from(token)]).toString('base64');
  const before = Math.ceil((offset * 8) / 6);
  const decided = Math.floor(((offset + token.length) * 8) / 6);
  return whole.slice(before, decided);
}
