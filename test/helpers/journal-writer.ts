/**
 * Run as a process of its own: `fill` writes until the journal breaks, `count` tells each durable record, `turn` does so
 * while small segments begin and the oldest ones are deleted.
 */
import { openJournal } from '../../runtime/journal/journal.ts';
import { prune } from '../../runtime/journal/retention.ts';
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
const turns = mode === 'turn';
const journal = await openJournal(root, {
  bytes: turns ? 4000 : 32 * 1024 * 1024,
  ageMs: Number.POSITIVE_INFINITY,
});
if (turns) {
  // Everything that is not written to is too old.
  const now = (): Date => new Date(Date.now() + 2 * 86_400_000);
  const say = (): void => undefined;
  for (;;) {
    for (let i = 0; i < 20; i++) await journal.append(body);
    await prune({ journal, retention: { maxDays: 1 }, sinks: [], now, say });
    process.stdout.write(`${await journal.append(body)}\n`);
  }
}
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
