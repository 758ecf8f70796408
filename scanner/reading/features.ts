/** What the second opinion counts: words, concepts and cues, each alone and in pairs, each as a bucket. */
import { CONCEPT_NAMES, conceptOf } from './concepts.ts';
import { CUE_NAMES, cuesOf, type Place } from './cues.ts';
import type { Speaker } from './speaker.ts';

export const BITS = 16;
/** Cues and concepts have the upper half for themselves: no word may be taken for one. */
const CUES_FROM = 1 << (BITS - 1);
const MASK = CUES_FROM - 1;
/** Words of one sentence that are counted. */
const MOST_WORDS = 80;
const TOKEN = /[a-z]+(?:'[a-z]+)?|<[a-z]+>/g;

/** One sentence as it is read: what it does, and its words. */
export interface Read {
  readonly sentence: string;
  /** Places in the table of cues, ascending. */
  readonly cues: readonly number[];
  readonly words: readonly string[];
  readonly hashes: readonly number[];
  /** What its words mean, in their order. */
  readonly concepts: readonly number[];
  /** It opens its text, where an honest tool says what it does. */
  readonly opens: boolean;
}

interface Where {
  readonly opens: boolean;
  readonly place: Place | null;
}

export function readSentence(sentence: string, speaker: Speaker, { opens, place }: Where): Read {
  const words = wordsOf(sentence, speaker);
  const concepts = words.map(conceptOf).filter((concept) => concept >= 0);
  return {
    sentence,
    cues: cuesOf(sentence, speaker, place),
    words,
    hashes: words.map(hashOf),
    concepts,
    opens,
  };
}

/** Words in small letters; what differs from server to server is told by its kind alone. */
function wordsOf(sentence: string, { own, siblings }: Speaker): string[] {
  const plain = sentence
    .replace(/https?:\/\/\S+/g, ' <url> ')
    .replace(/[\w.+-]+@[\w-]+\.\w[\w.]*/g, ' <mail> ')
    .replace(/(?:~|\/|\.{1,2}\/)[\w.-]*\/[\w./-]*|(?<!\w)\.(?:env|ssh|aws)\b/g, ' <path> ')
    .replace(/[A-Za-z]+(?:_[A-Za-z0-9]+)+|[a-z]+(?:[A-Z][a-z0-9]+)+/g, (name) =>
      own.has(name) ? ' <own> ' : siblings?.has(name) ? ' <sibling> ' : ' <name> ',
    )
    .replace(/\d[\d.,]*/g, ' <number> ');
  return (plain.toLowerCase().match(TOKEN) ?? []).slice(0, MOST_WORDS);
}

/** FNV-1a over the characters. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}

const both = (a: number, b: number): number => Math.imul(a ^ Math.imul(b, 0x9e3779b1), 0x85ebca6b);
const wordBucket = (hash: number): number => (hash ^ (hash >>> 16)) & MASK;
const cueBucket = (hash: number): number => wordBucket(hash) | CUES_FROM;
const CUE_HASHES = CUE_NAMES.map((name) => hashOf(`*${name}`));

export interface Feature {
  readonly bucket: number;
  readonly name: string;
}

/** Features of sentences that stand together, each bucket once. */
export function bucketsOf(reads: readonly Read[]): Set<number> {
  const buckets = new Set<number>();
  visit(reads, (bucket) => buckets.add(bucket));
  return buckets;
}

/** The same with their names, for people. */
export function featuresOf(reads: readonly Read[]): Feature[] {
  const features = new Map<number, string>();
  visit(reads, (bucket, name) => features.set(bucket, name()));
  return [...features].map(([bucket, name]) => ({ bucket, name }));
}

type See = (bucket: number, name: () => string) => void;
const FIRST = hashOf('^');
const OPENING = hashOf('^^');

function visit(reads: readonly Read[], see: See): void {
  const cues = new Set<number>();
  for (const read of reads) {
    for (const cue of read.cues) cues.add(cue);
    visitWords(read, see);
    visitConcepts(read, see);
  }
  visitCues(
    [...cues].sort((a, b) => a - b),
    reads[0]?.opens === true,
    see,
  );
}

function visitWords({ hashes, words, opens }: Read, see: See): void {
  for (let i = 0; i < hashes.length; i++) {
    const [hash, before] = [hashes[i] ?? 0, hashes[i - 1] ?? 0];
    see(wordBucket(hash), () => words[i] ?? '');
    if (i > 0) see(wordBucket(both(before, hash)), () => `${words[i - 1]} ${words[i]}`);
    else see(wordBucket(both(opens ? OPENING : FIRST, hash)), () => `${words[0]} at the beginning`);
  }
}

const CONCEPT_HASHES = CONCEPT_NAMES.map((name) => hashOf(`+${name}`));

/** Concepts that follow one within which it is counted with them. */
const NEAR = 3;

/** Each, and each with those that follow it closely. */
function visitConcepts({ concepts, words, opens }: Read, see: See): void {
  const first = conceptOf(words[0] ?? '');
  const start = both(opens ? OPENING : FIRST, CONCEPT_HASHES[first] ?? 1);
  see(cueBucket(start), () => `<${CONCEPT_NAMES[first] ?? 'another word'}> at the beginning`);
  for (let i = 0; i < concepts.length; i++) {
    const [one, name] = [CONCEPT_HASHES[concepts[i] ?? 0] ?? 0, CONCEPT_NAMES[concepts[i] ?? 0]];
    see(cueBucket(one), () => `<${name}>`);
    for (let j = i + 1; j < Math.min(concepts.length, i + 1 + NEAR); j++)
      see(
        cueBucket(both(one, CONCEPT_HASHES[concepts[j] ?? 0] ?? 0)),
        () => `<${name}> <${CONCEPT_NAMES[concepts[j] ?? 0]}>`,
      );
  }
}

function visitCues(cues: readonly number[], opens: boolean, see: See): void {
  for (let i = 0; i < cues.length; i++) {
    const [one, name] = [CUE_HASHES[cues[i] ?? 0] ?? 0, CUE_NAMES[cues[i] ?? 0]];
    see(cueBucket(one), () => `(${name})`);
    if (opens) see(cueBucket(both(OPENING, one)), () => `(${name} at the beginning)`);
    for (let j = i + 1; j < cues.length; j++)
      see(
        cueBucket(both(one, CUE_HASHES[cues[j] ?? 0] ?? 0)),
        () => `(${name} and ${CUE_NAMES[cues[j] ?? 0]})`,
      );
  }
}
