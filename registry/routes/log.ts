/** The transparency log over HTTP: checkpoints and proofs for whoever asks, entries for people of the house. */
import type { JsonObject } from '../../schemas/common.ts';
import { parseStrict } from '../../schemas/json.ts';
import { LogConsistencyQuery, LogEntriesQuery, LogInclusionQuery } from '../../schemas/log.ts';
import type { Handlers } from '../app.ts';
import { entriesFrom } from '../db/log.ts';
import type { Deps } from '../deps.ts';
import { consistencyProof, inclusionProof, logKey } from '../log.ts';

const MAX_ENTRIES = 1000;

export function logRoutes({ pool, trust, checkpoints }: Deps): Handlers {
  const signer = trust.logSigner;
  const proofOf = (hashes: readonly Buffer[]): JsonObject => ({
    proof: hashes.map((hash) => hash.toString('base64')),
  });
  return {
    log: async () => ({ key: logKey(signer), checkpoint: (await checkpoints.newest()).note }),
    logEntries: async (call) => {
      const query = call.query(LogEntriesQuery);
      const start = Number(query.start);
      const count = Math.min(Number(query.count ?? MAX_ENTRIES), MAX_ENTRIES);
      const entries = await entriesFrom(pool, start, count);
      return { start, entries: entries.map((entry) => parseStrict(entry)) };
    },
    logInclusion: async (call) => {
      const { index, size } = call.query(LogInclusionQuery);
      return proofOf(await inclusionProof(pool, Number(index), Number(size)));
    },
    logConsistency: async (call) => {
      const { from, to } = call.query(LogConsistencyQuery);
      return proofOf(await consistencyProof(pool, Number(from), Number(to)));
    },
  };
}
