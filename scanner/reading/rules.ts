/** Rules over cues: what a sentence, or two that belong together, does all at once. No rule knows a word of its own. */
import type { Cue } from './cues.ts';

export interface Rule {
  readonly why: string;
  readonly all: readonly Cue[];
  /** At least one of each of these as well. */
  readonly any?: readonly (readonly Cue[])[];
  readonly unless?: readonly Cue[];
}

export const RULES: readonly Rule[] = [
  {
    why: 'changes what another tool is given',
    all: ['foreign', 'event', 'change', 'argument'],
    any: [
      ['must', 'every'],
      ['trigger', 'every'],
    ],
    unless: ['negated'],
  },
  {
    why: 'orders a file of secrets to be read',
    all: ['secretPlace', 'take', 'must'],
    any: [['trigger', 'excuse', 'tool', 'quiet', 'foreign']],
    unless: ['negated'],
  },
  {
    why: 'sends secrets away',
    all: ['secret', 'send', 'away'],
    any: [['must', 'every', 'trigger', 'quiet', 'take']],
    unless: ['negated'],
  },
  {
    why: 'acts behind the back of the user',
    all: ['quiet'],
    any: [
      ['send', 'destroy', 'change', 'addto'],
      ['away', 'secret', 'secretPlace', 'foreign', 'talk'],
    ],
    unless: ['negated'],
  },
  {
    why: 'puts itself above other instructions',
    all: ['ignore', 'order'],
    any: [['model', 'must', 'lasting', 'tag', 'every']],
    unless: ['negated'],
  },
  {
    why: 'asks for the conversation',
    all: ['talk', 'addto', 'argument'],
    any: [['must', 'every', 'trigger']],
    unless: ['negated'],
  },
  {
    why: 'sets itself before other tools',
    all: ['prefer', 'tool'],
    any: [
      ['self', 'must', 'every'],
      ['otherTool', 'foreign'],
      ['must', 'every', 'model'],
    ],
    unless: ['negated'],
  },
  {
    why: 'praises itself to be preferred',
    all: ['praise'],
    any: [['self', 'tool', 'model', 'must']],
    unless: ['negated'],
  },
  {
    why: 'has a command run before use',
    all: ['shell', 'run', 'must', 'trigger'],
    any: [['excuse', 'every', 'otherTool', 'secretPlace', 'away', 'foreign']],
    unless: ['negated'],
  },
  {
    why: 'calls another tool with a value of its own choice',
    all: ['foreign', 'value', 'run', 'must'],
    any: [['trigger'], ['excuse', 'every', 'secretPlace', 'away', 'secret']],
    unless: ['negated'],
  },
  {
    why: 'adds something to what others send',
    all: ['addto', 'every', 'argument'],
    any: [
      ['away', 'foreign', 'otherTool'],
      ['must', 'excuse', 'lasting', 'quiet'],
      ['away', 'value'],
    ],
    unless: ['negated'],
  },
  {
    why: 'speaks with the voice of the system',
    all: ['tag'],
    any: [
      ['model', 'must', 'order'],
      ['secretPlace', 'secret', 'away', 'quiet', 'ignore', 'destroy', 'foreign', 'otherTool', 'talk'],
      ['trigger', 'every', 'lasting'],
    ],
    unless: ['negated'],
  },
];

export function holds({ all, any = [], unless = [] }: Rule, cues: ReadonlySet<Cue>): boolean {
  return (
    all.every((cue) => cues.has(cue)) &&
    any.every((group) => group.some((cue) => cues.has(cue))) &&
    !unless.some((cue) => cues.has(cue))
  );
}
