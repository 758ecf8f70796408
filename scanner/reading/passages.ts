/** The texts of a surface as they are read: what a person would see, what is written in codes, sentence by sentence. */
import { MAX_TEXT } from '../../runtime/content/instructions.ts';
import { normal } from '../../runtime/content/normal.ts';
import type { Json } from '../../schemas/common.ts';
import { pointerParts, SECTIONS, type Surface } from '../../schemas/surface.ts';
import { type Text, textsOfBoth } from '../checks/texts.ts';
import { decodedIn } from './codings.ts';
import type { Place } from './cues.ts';
import { type Read, readSentence } from './features.ts';
import { glossOf, WORD_BY_WORD } from './gloss.ts';
import { sentencesOf, windowsOf } from './sentences.ts';
import type { Speaker } from './speaker.ts';

export interface Passage {
  readonly at: string;
  /** As it came. */
  readonly text: string;
  readonly plain: string;
  /** How it was written where it had to be decoded, or how it was put into English. */
  readonly how: string | null;
  readonly windows: readonly (readonly Read[])[];
}

export interface Reading {
  readonly passages: readonly Passage[];
  /** Characters that nobody read: there were more than is read of one surface. */
  readonly unread: number;
}

/** Characters of one surface that are read; forty times the largest one that is known. */
const MOST = 8_000_000;
/** Shorter words without a space in them are names and types. */
const NAME = 20;
const LONGEST_NAME = 60;

interface Shown {
  readonly surface: Surface;
  readonly other: Surface;
}
const readings = new WeakMap<Surface, { readonly other: Surface; readonly reading: Reading }>();

/** Each text that says something; read once, however many checks ask. */
export function readingOf({ surface, other }: Shown): Reading {
  const known = readings.get(surface);
  if (known?.other === other) return known.reading;
  const reading = readAll(textsOfBoth({ surface, other }), surface);
  readings.set(surface, { other, reading });
  return reading;
}

function readAll(texts: readonly Text[], surface: Surface): Reading {
  const speakers = new Map<string, Speaker>();
  const told = { surface, siblings: new Set(Object.keys(surface.tools)) };
  const passages: Passage[] = [];
  let left = MOST;
  let unread = 0;
  for (const { at, text } of texts) {
    if (!speaks(text)) continue;
    if (text.length > left) {
      unread += text.length;
      continue;
    }
    left -= text.length;
    const [, section = '', key = ''] = at.split('/');
    const item = `${section}/${key}`;
    const speaker = speakers.get(item) ?? speakerOf(told, section, key);
    speakers.set(item, speaker);
    passages.push(...passagesIn({ at, text }, speaker));
  }
  return { passages, unread };
}

/** A sentence, or a word that is long or strange enough to hold one. */
function speaks(text: string): boolean {
  return text.length >= 8 && (/\s/.test(text) || text.length >= NAME || /[^\w$.:/-]/.test(text));
}

function passagesIn({ at, text }: Text, speaker: Speaker): Passage[] {
  const read = text.slice(0, MAX_TEXT);
  const shown = normal(read);
  const whole = { at, text, plain: shown, how: null, windows: readWindows(spaced(shown, at), speaker, at) };
  const gloss = glossOf(read);
  const others = [...decodedIn(read), ...(gloss === null ? [] : [{ how: WORD_BY_WORD, text: gloss }])];
  return [
    whole,
    ...others.map(({ how, text: plain }) => ({
      ...{ at, text, plain, how, windows: readWindows(plain, speaker, at) },
    })),
  ];
}

/** Names of parameters are read as the words that they are made of: a model fills them by their name alone. */
function spaced(text: string, at: string): string {
  if (/\s/.test(text) || !/\/properties\/[^/]+$/.test(at)) return text;
  return text.replace(/[_-]+/g, ' ').replace(/([a-z])([A-Z])/g, '$1 $2');
}

/** Within a schema: descriptions of fields, names, and values that a model is given or may give. */
function placeOf(at: string): Place | null {
  if (!/\/(?:input|output)Schema\/|\/arguments\//.test(at)) return null;
  if (/\/(?:description|title|\$comment)$/.test(at)) return 'inField';
  return /\/properties\/[^/]+$/.test(at) ? 'inName' : 'inValue';
}

function readWindows(plain: string, speaker: Speaker, at: string): Read[][] {
  const place = placeOf(at);
  const reads = sentencesOf(plain).map((sentence, index) =>
    readSentence(sentence, speaker, { opens: index === 0, place }),
  );
  return windowsOf(reads, ({ words }) => words.length);
}

interface Told {
  readonly surface: Surface;
  readonly siblings: ReadonlySet<string>;
}

/** Names and short values of one item are its own words. */
function speakerOf({ surface, siblings }: Told, section: string, key: string): Speaker {
  const own = new Set<string>();
  const [name = ''] = pointerParts(`/${key}`);
  const listed = SECTIONS.find((one) => one === section);
  const walk = (value: Json | undefined): void => {
    if (typeof value === 'string') {
      if (value.length < LONGEST_NAME) own.add(value);
    } else if (Array.isArray(value)) value.forEach(walk);
    else if (value !== null && typeof value === 'object') {
      for (const [member, inner] of Object.entries(value)) {
        own.add(member);
        walk(inner);
      }
    }
  };
  if (listed && Object.hasOwn(surface[listed], name)) walk(surface[listed][name]);
  return { name: listed ? name : null, own, siblings };
}
