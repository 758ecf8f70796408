/** Writes a journal until its small disk is full, makes room, goes on, and says what is there. Words: the disk; how. */
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openJournal, readJournal, verifyJournal } from '../../runtime/journal/journal.ts';
import type { AuditBody } from '../../schemas/audit.ts';
import { bodyOf } from './journals.ts';

const [disk = '', how = 'alone'] = process.argv.slice(2);
const root = join(disk, 'journal');
const filler = join(disk, 'filler');
const journal = await openJournal(root);
const { bavail, bsize } = statfsSync(disk);
writeFileSync(filler, Buffer.alloc((bavail - 20) * bsize));

const acknowledged: string[] = [];
const refused: string[] = [];
let said = '';
const noted = (call: string): AuditBody => ({ ...bodyOf(1), kind: 'request.finished', call });
const one = async (call: string): Promise<void> => {
  try {
    await journal.append({ ...bodyOf(1), kind: 'request.forwarded', call });
    acknowledged.push(call);
    journal.note(() => noted(`after ${call}`));
  } catch (error) {
    refused.push(call);
    said = (error as Error).message;
  }
};
let n = 0;
while (refused.length === 0) {
  const each = Array.from({ length: how === 'together' ? 5 : 1 }, () =>
    one(`c-${String(n++).padStart(4, '0')}`),
  );
  await Promise.all(each);
}
const late = ['late 1', 'late 2'];
for (const call of late) journal.note(noted(call));
await one('while it is full');
rmSync(filler);
if (how !== 'closed') {
  while (journal.failure()) await sleep(20);
  await one('since there is room');
}
await journal.close();

const [there, notes, kinds]: [string[], string[], Record<string, number>] = [[], [], {}];
for await (const { body } of readJournal(root)) {
  if (body.kind === 'request.forwarded') there.push(body.call ?? '');
  else if (body.kind === 'request.finished') notes.push(body.call ?? '');
  else kinds[body.kind] = (kinds[body.kind] ?? 0) + 1;
}
const verified = await verifyJournal(root);
console.log(
  JSON.stringify({ acknowledged, refused, there, notes: notes.sort(), late, kinds, verified, said }),
);
