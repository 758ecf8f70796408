/** npm run incidents: every replay really tried, and what stops it. Exit 0 only if each row is stopped or says why not. */
import { table } from '../../cli/output.ts';
import { controls, OUT_OF_REACH, tryControl } from './controls.ts';
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
for (const control of controls) {
  const { said, wrong } = await tryControl(control);
  const { id, what, by } = control;
  const silent = wrong === null ? [] : [wrong];
  outcomes.push({ id, what, stoppedBy: [`${by} (${said})`], advised: [], silent, lockable: wrong !== null });
}
const numberOf = (id: string): number => Number.parseInt(id, 10);
outcomes.sort((a, b) => numberOf(a.id) - numberOf(b.id) || (a.id < b.id ? -1 : 1));
const stopped = outcomes.filter(({ lockable }) => !lockable).length;
const broken = outcomes.filter(({ silent, lockable }) => silent.length > 0 || lockable).length;
const rows = outcomes.map(({ id, what, stoppedBy, advised, silent, lockable }) => [
  id,
  what,
  stoppedBy.join(' ') || '-',
  advised.join(' ') || '-',
  silent.join(' ') || '-',
  lockable ? 'yes' : 'no',
]);
const outside = Object.entries(OUT_OF_REACH).map(([id, why]) => `Row ${id} is out of reach: ${why}.`);
process.stdout.write(
  json
    ? `${JSON.stringify({ conclusion: broken === 0 ? 'ok' : 'broken', replays: outcomes.length, stopped, incidents: outcomes, outOfReach: OUT_OF_REACH })}\n`
    : `${table(['row', 'incident', 'stopped by', 'advised by', 'silent', 'goes through'], rows)}\n\n${outside.join('\n')}\n${stopped} of ${outcomes.length} replays stopped\n`,
);
process.exitCode = broken === 0 ? 0 : 1;
