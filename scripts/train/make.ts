/** Makes texts of templates, the same ones each time. */
import { ATTACKS, OPENINGS } from './attacks.ts';
import { DEED_SLOTS, inflected } from './deeds.ts';
import { FRAMES, PLAIN } from './frames.ts';
import { HONEST } from './honest.ts';
import { POLITE } from './polite.ts';
import { NAMINGS } from './schemes.ts';
import { SLOTS } from './slots.ts';
import { PLAIN_STYLES, STYLES } from './styles.ts';

/** Numbers that are the same on every machine: a linear congruential generator of 32 bits. */
export function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export interface Made {
  readonly kind: string;
  readonly text: string;
}

/** Share of the names of tools that stand in a wording of their own. */
const NAMED = 0.4;

type Random = () => number;

function pick<T>(list: readonly T[], random: Random): T {
  return list[Math.floor(random() * list.length)] as T;
}

/** One text of a template: inner choices first, then slots. */
export function filled(template: string, random: Random, whole = true): string {
  let text = template;
  for (let turn = 0; turn < 8 && /\[[^[\]]*\|[^[\]]*\]|\{[\w:]+\}/.test(text); turn++) {
    text = text.replace(/\[([^[\]]*\|[^[\]]*)\]/g, (_, choices: string) => pick(choices.split('|'), random));
    text = text.replace(/\{(\w+)(?::(\w+))?\}/g, (whole, slot: string, form?: string) => {
      if (slot === 'own') return 'this tool';
      const list = SLOTS[slot] ?? DEED_SLOTS[slot];
      if (!list) return whole;
      if (slot === 'victim' && random() < NAMED) return naming(pick(list, random), random);
      const chosen = pick(list, random);
      return form === undefined ? chosen : inflected(filled(chosen, random, false), form);
    });
  }
  const tidy = text
    .replace(/\s+/g, ' ')
    .replace(/ ([.,;:])/g, '$1')
    .replaceAll('«', '[')
    .replaceAll('»', ']')
    .trim();
  return whole ? tidy.replace(/(?:^|[.:] )[a-z](?![a-z]*_)/g, (start) => start.toUpperCase()) : tidy;
}

/** A tool as people write of it: quoted, or as one of some server. */
function naming(tool: string, random: Random): string {
  return filled(pick(NAMINGS, random).replace('{victim}', tool), random, false);
}

/** So many texts of each class that mean harm, and of each honest template. */
export function make(each: number, seed: number): { attacks: Made[]; honest: Made[] } {
  const random = numbers(seed);
  const attacks: Made[] = [];
  for (const [kind, templates] of Object.entries({ ...ATTACKS, ...POLITE, ...FRAMES, ...STYLES }))
    for (const template of templates)
      for (let i = 0; i < each; i++)
        attacks.push({ kind, text: varied(pick(OPENINGS, random) + filled(template, random), random) });
  const honest = [...HONEST, ...PLAIN, ...PLAIN_STYLES].flatMap((template) =>
    Array.from({ length: each }, () => ({ kind: 'honest', text: filled(template, random) })),
  );
  return { attacks, honest };
}

/** Sometimes a sentence more, which asks for silence or gives a reason. */
function varied(text: string, random: Random): string {
  const chance = random();
  if (chance < 0.12) return `${text} ${filled('{hush}', random)}`;
  if (chance < 0.2) return `${text} This is ${filled('[required|done|necessary] {excuse}', random, false)}.`;
  return text;
}
