/** Run as a process of its own: `fill` writes until the journal breaks, `count` tells each durable record. */
import { openJournal } from '../../runtime/journal/journal.ts';
import type { AuditBody } from '../../schemas/audit.ts';
import { LockkeeperError } from '../../schemas/errors.ts';

const [mode, root = ''] = process.argv.slice(2);
const body: AuditBody = {
  kind: 'request.forwarded',
  at: '2026-11-24T00:00:00.000Z',
  runtime: 'j',
  session: 's',
  user: 'u',
  subject: null,
  message: 'x'.repeat(200),
};
const journal = await openJournal(root);
if (mode === 'count') {
  for (;;) process.stdout.write(`${(await Promise.all([journal.append(body), journal.append(body)]))[1]}\n`);
}
let durable = 0;
const codes = new Set<string>();
for (let i = 0; i < 200; i++) {
  await journal.append(body).then(
    () => durable++,
    (error: unknown) => codes.add(error instanceof LockkeeperError ? error.code : String(error)),
  );
}
process.stdout.write(JSON.stringify({ durable, codes: [...codes] }));
