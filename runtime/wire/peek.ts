/** What a line answers, seen without reading it: what it says is judged elsewhere, from one strict reading. */
import type { Id } from './message.ts';
import { outermost } from './splice.ts';

const ID = '(?:"([\\x20-\\x21\\x23-\\x5b\\x5d-\\x7e]{1,256})"|(-?[0-9]{1,15}))';
/** The two ways in which answers are written almost always: what they answer stands at one of their ends. */
const S = ' {0,2}';
const VERSION = `"jsonrpc"${S}:${S}"2\\.0"${S},${S}"id"${S}:${S}${ID}${S}`;
const AT_HEAD = new RegExp(`^\\{${S}${VERSION},${S}"(?:result|error)"${S}:`);
const AT_TAIL = new RegExp(`,${S}${VERSION}\\}$`);
const WRITTEN = new RegExp(`^\\{${S}"(?:result|error)"${S}:`);
const HEAD_BYTES = 360;
/** Outermost members that are looked at, of which a message has four; and bytes of an id as it is written. */
const MAX_MEMBERS = 16;
const MAX_ID_BYTES = 2048;

/** The id of the request that a line answers; null for what is no answer. Never throws, whatever the bytes. */
export function answeredBy(bytes: Buffer): Id | null {
  const quick = quickly(bytes);
  if (quick !== null) return quick;
  try {
    const members = outermost(bytes, MAX_MEMBERS);
    const id = members.get('id');
    const answers = (members.has('result') || members.has('error')) && !members.has('method');
    if (!answers || id === undefined || id.length > MAX_ID_BYTES) return null;
    const value: unknown = JSON.parse(id.toString('utf8'));
    return typeof value === 'string' || typeof value === 'number' ? value : null;
  } catch {
    return null;
  }
}

function quickly(bytes: Buffer): Id | null {
  const head = bytes.toString('latin1', 0, HEAD_BYTES);
  const atTail = WRITTEN.test(head);
  const tail = atTail ? bytes.toString('latin1', Math.max(0, bytes.length - HEAD_BYTES)) : '';
  const found = atTail ? AT_TAIL.exec(tail) : AT_HEAD.exec(head);
  if (!found) return null;
  const [, text, number] = found;
  return text ?? Number(number);
}
