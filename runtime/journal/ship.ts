/** The registry as one more sink. */
import type { AuditRecord } from '../../schemas/audit.ts';
import { REGISTRY } from './retention.ts';
import type { Sink } from './sinks/port.ts';

/** `send` hands one batch over and answers with the last sequence number the registry now has. */
export function registrySink(send: (records: AuditRecord[]) => Promise<number>): Sink {
  return {
    name: REGISTRY,
    deliver: async (records) => ({ upTo: await send([...records]) }),
    close: async () => undefined,
  };
}
