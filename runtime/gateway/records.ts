/** What the gateway turned away before any server was concerned, as records; a flood of it is one record with a count. */
import type { AuditBody } from '../../schemas/audit.ts';
import type { LockkeeperError } from '../../schemas/errors.ts';
import type { Caller } from '../gate/caller.ts';
import type { Journal } from '../journal/journal.ts';
import { redactText } from '../journal/redact.ts';
import { Rate } from '../session/limits.ts';

const MOST = 100;
const WINDOW_MS = 10_000;
const NOBODY = 'nobody';

export function refusalRecords(journal: Journal): (error: LockkeeperError, caller: Caller | null) => void {
  const rate = new Rate(MOST, WINDOW_MS);
  let left = 0;
  const note = (rest: Partial<AuditBody>, caller: Caller | null): void =>
    journal.note({
      kind: 'request.refused',
      at: new Date().toISOString(),
      runtime: journal.id,
      session: 'gateway',
      user: caller?.user ?? NOBODY,
      ...(caller ? { caller: { via: caller.via, teams: [...caller.teams] } } : {}),
      subject: null,
      direction: 'to-server',
      outcome: 'refused',
      ...rest,
    });
  return (error, caller) => {
    if (!rate.take()) return void left++;
    if (left > 0) note({ message: `${left} more were refused in a short time and not written down` }, null);
    left = 0;
    note({ code: error.code, message: redactText(error.message, journal.key).slice(0, 600) }, caller);
  };
}
