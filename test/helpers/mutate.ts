/** Every way to change one written value of an attestation: the bytes behind base64, a number, a character of text. */
import type { Json } from '../../schemas/common.ts';

export interface Change {
  readonly path: string;
  readonly bytes: Buffer;
}

/**
 * Left alone, for nothing rests on them: the key id inside an envelope, a hint; certificates after the leaf, since the
 * chain is built from the trust root.
 */
const UNUSED = /signatures\.\d+\.keyid$|certificates\.[1-9]\d*\.rawBytes$/;
/** Relabelled as another version that is known: no signature covers the label, and it changes nothing else. */
const KNOWN_VERSION = /^application\/vnd\.dev\.sigstore\.bundle(?:\+json;version=0\.[123]|\.v0\.3\+json)$/;
const TEXT = new Set(['mediaType', 'payloadType', 'kind', 'version', 'hint', 'envelope', 'algorithm']);
/** Changed at several places: these are what signatures are over. */
const MANY = new Set([
  'payload',
  'statement',
  'rawBytes',
  'certificate',
  'canonicalizedBody',
  'envelope',
  'sig',
  'signature',
]);

/** Of the places of a value, those that one document has changed; over the documents of a table all have their turn. */
const PLACES = 2;

/** One document per change; of a registry's answer, changes within one attestation. */
export function* changes(bytes: Uint8Array, index?: number): Generator<Change> {
  const document = JSON.parse(Buffer.from(bytes).toString('utf8'));
  const within = index === undefined ? document : document.attestations[index].bundle;
  let turn = bytes.length;
  for (const { holder, key, path } of leaves(within, '')) {
    if (UNUSED.test(path)) continue;
    const original = holder[key] as string;
    const field = /\d+$/.test(key) ? (path.split('.').at(-2) ?? '') : key;
    const all = variants(original, field);
    for (let place = 0; place < Math.min(PLACES, all.length); place++) {
      holder[key] = all[turn++ % all.length] ?? '';
      yield { path, bytes: Buffer.from(JSON.stringify(document)) };
    }
    holder[key] = original;
  }
}

type Holder = Record<string, Json>;

function* leaves(value: Json, path: string): Generator<{ holder: Holder; key: string; path: string }> {
  if (value === null || typeof value !== 'object') return;
  const holder = value as Holder;
  for (const key of Object.keys(holder)) {
    const at = `${path}.${key}`;
    const inner = holder[key] as Json;
    if (typeof inner === 'string' && inner !== '') yield { holder, key, path: at };
    else yield* leaves(inner, at);
  }
}

function variants(value: string, field: string): string[] {
  if (/^\d+$/.test(value)) return [String(BigInt(value) + 1n)];
  // the outer tag of a timestamp token is read leniently and carries nothing; token bytes are changed further inside
  if (field === 'signedTimestamp')
    return flips(Buffer.from(value, 'base64'), [0.1, 0.25, 0.5, 0.75, 1]).map(encode);
  const places = MANY.has(field) ? [0, 0.03, 0.3, 0.7, 1] : [0, 0.5, 1];
  const text = TEXT.has(field) && !looksEncoded(value);
  if (!text) return flips(Buffer.from(value, 'base64'), places).map(encode);
  return flips(Buffer.from(value), places)
    .map((copy) => copy.toString('utf8'))
    .filter((changed) => field !== 'mediaType' || !KNOWN_VERSION.test(changed));
}

const encode = (bytes: Buffer): string => bytes.toString('base64');

/** One bit changed at each of these places, as fractions of the length. */
function flips(data: Buffer, places: readonly number[]): Buffer[] {
  return places.map((place) => {
    const copy = Buffer.from(data);
    const at = Math.min(copy.length - 1, Math.floor(copy.length * place));
    copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
    return copy;
  });
}

/** A checkpoint and an envelope's signature are both text; one of them is base64. */
function looksEncoded(value: string): boolean {
  return value.length > 40 && /^[A-Za-z0-9+/]+=*$/.test(value);
}
