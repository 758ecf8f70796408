/** Which bridge a client needs, if any: none where the server speaks its era as well. */
import type { Era } from '../../schemas/surface.ts';
import type { SessionOptions } from '../session/options.ts';
import { ANSWER_MS, type Bridge, type BridgeOptions } from './ports.ts';
import { ToSession } from './to-session.ts';
import { ToStateless } from './to-stateless.ts';

export interface Bridged {
  readonly bridge: Bridge;
  /** What the server speaks. */
  readonly era: Era;
}

/** What the server speaks is known from the lock; it is never asked. */
export function bridgeFor(
  client: Era,
  { entry, surface, answerMs = ANSWER_MS }: Pick<SessionOptions, 'entry' | 'surface' | 'answerMs'>,
  around: Omit<BridgeOptions, 'surface' | 'answerMs'>,
): Bridged | null {
  if (entry.surface.capture.eras.includes(client)) return null;
  const options = { ...around, surface, answerMs };
  return client === 'session'
    ? { bridge: new ToStateless(options), era: 'stateless' }
    : { bridge: new ToSession(options), era: 'session' };
}
