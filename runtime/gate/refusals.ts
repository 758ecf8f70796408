/** What the gate says where it refuses. */
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { LockEntry } from '../../schemas/lock.ts';
import type { Section } from '../../schemas/surface.ts';
import type { Request } from '../wire/message.ts';
import type { GateState } from './gate.ts';

const WORD: Readonly<Record<Section, string>> = {
  tools: 'tool',
  prompts: 'prompt',
  resources: 'resource',
  resourceTemplates: 'template',
};

export function notLocked(section: Section, key: string, entry: LockEntry): LockkeeperError {
  const names = Object.keys(entry.surface[section]);
  return new LockkeeperError('TOOL_REFUSED', {
    expected: `a locked ${WORD[section]} of ${entry.server} ${entry.version}${names.length ? ` (${names.slice(0, 12).join(', ')}${names.length > 12 ? ', …' : ''})` : ''}`,
    found: quote(key, 128),
    next: `Use one of these, or ask for a release that has it: lk publish`,
  });
}

export function drifted(
  section: Section,
  key: string,
  state: Pick<GateState, 'entry' | 'live'>,
): LockkeeperError {
  return new LockkeeperError('TOOL_DRIFTED', {
    expected: `the ${WORD[section]} ${quote(key, 128)} as locked in ${state.entry.server} ${state.entry.version}`,
    found: `another one; these fields differ: ${state.live.changedFields(section, key).join(', ')}`,
    next: 'Stop using the server and tell its reviewers: it changed while it ran',
  });
}

export function duplicateId(message: Request): LockkeeperError {
  return new LockkeeperError('ID_DUPLICATE', {
    expected: 'an id that is not in flight',
    found: quote(String(message.id), 60),
    next: 'Wait for its answer or use another id',
  });
}

export function unknownMethod(method: string, direction: string): LockkeeperError {
  return new LockkeeperError('METHOD_REFUSED', {
    expected: `a method known ${direction}`,
    found: quote(method, 80),
    next: 'Leave it out; Lockkeeper passes no method it does not know',
  });
}

export function notDeclared(missing: string, method: string): LockkeeperError {
  return new LockkeeperError('METHOD_REFUSED', {
    expected: `a client that declared ${missing} before ${method}`,
    found: 'one that did not',
    next: 'The server must do without',
  });
}

export function tooMany(most: number): LockkeeperError {
  return new LockkeeperError('RATE_LIMITED', {
    expected: `at most ${most} requests in flight`,
    found: 'one more',
    next: 'Wait for answers',
  });
}

export function tooManyTasks(): LockkeeperError {
  return new LockkeeperError('RATE_LIMITED', {
    expected: 'few tasks of one session that are not over',
    found: 'one more, or a larger one, than may be',
    next: 'Fetch what is done, or cancel what is not needed',
  });
}

export function clientTask(): LockkeeperError {
  return new LockkeeperError('METHOD_REFUSED', {
    expected: 'a question that is answered at once',
    found: 'one that asks its client for a task',
    next: 'Ask without a task',
  });
}

export function expired(entry: LockEntry, at: number): LockkeeperError {
  return new LockkeeperError('LOCK_EXPIRED', {
    expected: `a lock of ${entry.server} that is still valid`,
    found: `one that ended at ${new Date(at).toISOString()}`,
    next: 'Run lk lock and start the server again',
  });
}

export const NO_OBJECT = new LockkeeperError('RESULT_INVALID', {
  expected: 'an object as the result',
  found: 'another value',
  next: 'The server breaks the protocol; use another release',
});
