/** What a server did when it was called, in one line for a person. */
import type { BehaviourSummary } from '../../schemas/behaviour.ts';
import { counted } from '../text.ts';

const SHOWN = 4;

/** What was called, what was tried then, and the words that would permit it. */
export function calledLine(behaviour: BehaviourSummary): string {
  if ('unknown' in behaviour) return `nothing: ${behaviour.unknown}`;
  const { called, notCalled, tried, proposed, read, processes, written } = behaviour;
  const parts = [`${counted(called.length, 'tool')} of ${called.length + notCalled}`];
  parts.push(tried.length > 0 ? `tried ${some(tried)}` : 'tried no connection');
  if (read.length > 0) parts.push(`opened ${some(read)}`);
  if (processes.length > 0) parts.push(`started ${counted(processes.length, 'process', 'processes')}`);
  if (written.length > 0) parts.push(`wrote ${some(written)}`);
  if (proposed.length > 0) parts.push(`would take ${some(proposed.map((host) => `--egress ${host}`))}`);
  return parts.join('; ');
}

function some(list: readonly string[]): string {
  const more = list.length > SHOWN ? ` and ${list.length - SHOWN} more` : '';
  return `${list.slice(0, SHOWN).join(', ')}${more}`;
}
