/** npm run incidents: every replay really scanned, and what stops it. Exit 0 only if nothing that was to fire was silent. */
import { table } from '../../cli/output.ts';
import { type Outcome, openReplays } from './replay.ts';
import { incidents } from './rows.ts';

const json = process.argv.includes('--json');
const replays = await openReplays();
const outcomes: Outcome[] = [];
try {
  for (const incident of incidents) outcomes.push(await replays.replay(incident));
} finally {
  await replays.close();
}
const stopped = outcomes.filter(({ lockable }) => !lockable).length;
const broken = outcomes.filter(({ silent, lockable }) => silent.length > 0 || lockable).length;
const rows = outcomes.map(({ id, what, stoppedBy, advised, silent, lockable }) => [
  id,
  what,
  stoppedBy.join(' ') || '-',
  advised.join(' ') || '-',
  silent.join(' ') || '-',
  lockable ? 'yes' : 'not without reasons',
]);
process.stdout.write(
  json
    ? `${JSON.stringify({ conclusion: broken === 0 ? 'ok' : 'broken', replays: outcomes.length, stopped, incidents: outcomes })}\n`
    : `${table(['row', 'incident', 'stopped by', 'advised by', 'silent', 'could be locked'], rows)}\n\n${stopped} of ${outcomes.length} replays stopped\n`,
);
process.exitCode = broken === 0 ? 0 : 1;
