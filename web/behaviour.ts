/** What a server did when its tools were called in a sandbox. */
import type { BehaviourSummary } from '../schemas/behaviour.ts';
import { type Child, card, el, facts, soft } from './dom.ts';

const SHOWN = 12;

/** Null for a report from before tools were called. */
export function behaviour(summary: BehaviourSummary | undefined): HTMLElement | null {
  if (summary === undefined) return null;
  const title = 'What it did when it was called';
  if ('unknown' in summary) return card(title, soft(`Nothing was called: ${summary.unknown}.`));
  const { called, notCalled, tried, proposed, read, processes, written } = summary;
  const others = notCalled > 0 ? ` and ${notCalled} not: the evidence says why` : '';
  return card(
    title,
    soft('Each tool that only reads was called once, without a network and among bait.'),
    facts([
      ['Called', el('span', {}, list(called), others)],
      ['Tried to reach', list(tried)],
      ...(proposed.length > 0 ? ([['Not asked for', list(proposed)]] as const) : []),
      ['Bait opened', list(read)],
      ['Processes', list(processes)],
      ['Files written', list(written)],
    ]),
  );
}

function list(words: readonly string[]): Child {
  if (words.length === 0) return 'none';
  const shown = words
    .slice(0, SHOWN)
    .flatMap((word, index) => [index > 0 ? ', ' : null, el('code', {}, word)]);
  const more = words.length - SHOWN;
  return el('span', {}, ...shown, more > 0 ? ` and ${more} more` : null);
}
