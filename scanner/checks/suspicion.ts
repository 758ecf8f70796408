import { CUE_NAMES } from '../reading/cues.ts';
import type { Read } from '../reading/features.ts';
import { WORD_BY_WORD } from '../reading/gloss.ts';
import { AGREES, opinionOf, tellsFrom, type Weights, weighedMost, weights } from '../reading/opinion.ts';
import { type Passage, readingOf } from '../reading/passages.ts';
import { holds, RULES } from '../reading/rules.ts';
import { finding, firedOr, gravest, type Outcome, type SurfaceCheck, type SurfaceFacts } from './check.ts';
import { reasonsIn } from './instructions.ts';
import { asApproved } from './texts.ts';

/**
 * Sentences that do what attacks do, in whatever words: rules over cues, and a second opinion. Scores advise: this check
 * is for people, and gates nothing. What was approved before is listed, and counts as read.
 */
export const suspicion: SurfaceCheck = suspicionBy();

/** The same by other weights than those that are shipped: for whoever measures what it makes of texts that no weight saw. */
export function suspicionBy(by?: Weights): SurfaceCheck {
  return {
    id: 'LK-TXT-03',
    title: 'Tool text is about its own tool',
    owasp: 'MCP03',
    run: (facts) => run(facts, by),
  };
}

function run(facts: SurfaceFacts, by = weights()): Outcome {
  const { passages } = readingOf(facts);
  const old = asApproved(facts.baseline);
  const sizes = new Map<string, number>();
  for (const { at, windows } of passages)
    sizes.set(itemOf(at), (sizes.get(itemOf(at)) ?? 0) + windows.length);
  const findings = passages.flatMap((passage) => {
    const approved = old(passage);
    const doubts = doubtsIn(passage, tellsFrom(sizes.get(itemOf(passage.at)) ?? 1), by);
    const known = approved
      ? reasonsIn(passage, facts.surface).map(({ why, around }) => ({ why, excerpt: around }))
      : [];
    return [...known, ...doubts].map(({ why, excerpt }) =>
      finding(approved ? 'info' : 'medium', `${passage.at} ${why}${approved ? ', as approved before' : ''}`, [
        { kind: 'text', at: passage.at, excerpt },
      ]),
    );
  });
  return firedOr(gravest(findings), `${passages.length} texts, ${RULES.length} rules and a second opinion`);
}

/** The tool, prompt or resource that a place belongs to. */
const itemOf = (at: string): string => at.split('/').slice(0, 3).join('/');

interface Doubt {
  readonly why: string;
  readonly excerpt: string;
}

/** What is put into English word by word has to be so much surer: it reads strangely, whatever it says. */
const CRUDE = 1.5;

/** What rules say of a text, each once; where no rule says anything, the second opinion about its worst place. */
function doubtsIn({ windows, how }: Passage, from: number, by: Weights): Doubt[] {
  const doubts = new Map<string, string>();
  let worst = how === WORD_BY_WORD ? from + CRUDE : from;
  let where: readonly Read[] | null = null;
  for (const window of windows) {
    const cues = new Set(window.flatMap((read) => read.cues.map((cue) => CUE_NAMES[cue] ?? 'must')));
    const score = opinionOf(window, by);
    for (const rule of score < from - AGREES ? [] : RULES)
      if (!doubts.has(rule.why) && holds(rule, cues)) doubts.set(rule.why, said(window));
    if (score < worst) continue;
    [worst, where] = [score, window];
  }
  if (doubts.size === 0 && where)
    doubts.set(
      `reads like an attack by these of its words: ${weighedMost(where, { by }).join(', ')}`,
      said(where),
    );
  return [...doubts].map(([why, excerpt]) => ({ why, excerpt }));
}

function said(window: readonly Read[]): string {
  return window
    .map(({ sentence }) => sentence)
    .join(' ')
    .slice(0, 400);
}
