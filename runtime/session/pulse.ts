/** What a server that runs is asked by itself: whether it lives, and now and then whether it is still the locked one. */
import { LockkeeperError } from '../../schemas/errors.ts';
import { SECTIONS } from '../../schemas/surface.ts';
import { statelessMeta } from './capture.ts';
import { relist } from './handshake.ts';
import type { SessionOptions } from './options.ts';
import type { Peer } from './peer.ts';
import * as records from './records.ts';
import type { Around } from './server-side.ts';

/** As `listsEvery` of its probes. */
const LISTS_EVERY = 2;

/** Asks once. Throws where nothing comes, or no list that can be read. Each drift is recorded once, as long as it lasts. */
export function pulseOf(
  { entry, journal }: Pick<SessionOptions, 'entry' | 'journal'>,
  { scribe, live, era: spoken }: Pick<Around, 'scribe' | 'live' | 'era'>,
  listsEvery = LISTS_EVERY,
): (peer: Peer, timeoutMs: number) => Promise<void> {
  const sections = SECTIONS.filter((section) => Object.keys(entry.surface[section]).length > 0);
  const { clientCapabilities } = entry.surface.capture;
  let asked = 0;
  let told: ReadonlySet<string> = new Set();
  return async (peer, timeoutMs) => {
    const era = spoken();
    if (++asked % listsEvery !== 0) {
      // The stateless era knows no ping; what every server of it answers is what it can do.
      const asking =
        era === 'session'
          ? peer.ask('ping', {}, timeoutMs)
          : peer.ask('server/discover', { _meta: statelessMeta(clientCapabilities) }, timeoutMs);
      await asking.catch(unlessAnswered);
      return;
    }
    const before = told;
    const drifts = await relist(peer, { entry, era, live, timeoutMs }, sections);
    told = new Set(drifts.map(({ section, key, digest }) => JSON.stringify([section, key, digest])));
    for (const drift of drifts) {
      const { section, key, digest } = drift;
      if (!before.has(JSON.stringify([section, key, digest]))) journal.note(records.drifted(scribe, drift));
    }
  };
}

/** A server that answers a question that it does not know is there. */
function unlessAnswered(error: unknown): void {
  if (!(error instanceof LockkeeperError) || error.code !== 'SURFACE_UNREADABLE') throw error;
}
