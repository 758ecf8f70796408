/** What becomes of a session whose release was revoked: sealed at once, recorded, and after its calls in flight dead. */
import { setTimeout as sleep } from 'node:timers/promises';
import { asLockkeeperError } from '../../schemas/errors.ts';
import { inTime } from '../deadline.ts';
import type { Revoked } from '../trust/revocations.ts';
import * as records from './records.ts';
import type { Relay } from './relay.ts';

/** `end`: calls in flight are refused at once. `finish`: they may be answered, for a while. */
export type OnRevoke = 'end' | 'finish';

const FINISH_MS = 4500;
const LOOK_MS = 20;
/** A disk that takes longer than this does not keep a revoked server alive. */
export const RECORD_MS = 2000;

/** Every part of a quarantine but the kill, which follows when this settles. Never rejects. */
export async function quarantine(
  revoked: Revoked,
  {
    relay,
    scribe,
    on,
    say,
  }: { relay: Relay; scribe: records.Scribe; on: OnRevoke; say: (line: string) => void },
): Promise<void> {
  const since = performance.now();
  relay.seal(revoked.error, on);
  const record = scribe.journal
    .append(records.quarantined(scribe, revoked, on))
    .catch((thrown: unknown) => say(asLockkeeperError(thrown).message));
  await inTime(record, RECORD_MS);
  while (on === 'finish' && relay.exchange.fromClient.size > 0 && performance.now() - since < FINISH_MS)
    await sleep(LOOK_MS);
}
