/** How the sinks of this machine's journals stand, as the last process that told them left it written. */
import { basename } from 'node:path';
import { type SinkState, statesOf } from '../runtime/journal/cursor.ts';
import type { Journal } from '../runtime/journal/journal.ts';
import { journalsOf } from '../runtime/journal/read.ts';
import { REGISTRY } from '../runtime/journal/retention.ts';
import { registrySink } from '../runtime/journal/ship.ts';
import { type OpenSinks, openSinks } from '../runtime/journal/sinks/open.ts';
import { counted } from '../scanner/text.ts';
import { AuditAck } from '../schemas/api.ts';
import type { AuditConfig } from '../schemas/sinks.ts';
import type { Api } from './api.ts';
import { readAuditConfig } from './audit-config.ts';
import type { Context } from './command.ts';

/** The registry's and those that are configured, journal by journal; what was configured once is of no concern. */
export async function sinkStates(
  context: Context,
): Promise<{ readonly config: AuditConfig; readonly states: SinkState[] }> {
  const config = await readAuditConfig(context.config.audit);
  const states: SinkState[] = [];
  for (const dir of await journalsOf(context.home.journalDir))
    for (const state of await statesOf(dir, basename(dir)))
      if (state.sink === REGISTRY || Object.hasOwn(config.sinks, state.sink)) states.push(state);
  return { config, states };
}

/** One line for each sink that is down or that misses records, whatever the number of journals. */
export function warningsOf(states: readonly SinkState[]): string[] {
  const lines: string[] = [];
  for (const [sink, all] of Map.groupBy(states, (state) => state.sink)) {
    const down = all.filter(({ state }) => state === 'down');
    const behind = down.reduce((sum, state) => sum + state.behind, 0);
    const lost = all.reduce((sum, state) => sum + state.lost, 0);
    const [first] = down.toSorted((a, b) => (a.since < b.since ? -1 : 1));
    if (first)
      lines.push(
        `sink ${sink} is down since ${first.since}, ${counted(behind, 'record')} wait: ${first.why}`,
      );
    if (lost > 0)
      lines.push(
        `sink ${sink} will never have ${counted(lost, 'record')} (lk audit --kind journal.pruned --local)`,
      );
  }
  return lines;
}

/** The registry and the configured sinks hear of the own journal as it grows, and of what ended runtimes left behind. */
export function tellSinks(
  context: Context,
  audit: AuditConfig,
  { api, journal, folders }: { api: Api | null; journal: Journal; folders: readonly string[] },
): Promise<OpenSinks> {
  const sink =
    api &&
    registrySink(async (records) => (await api.call('auditWrite', AuditAck, { body: { records } })).upTo);
  return openSinks(audit, {
    journal,
    journalDir: context.home.journalDir,
    environment: context.config.environment,
    registry: { sink, folders },
    now: context.now,
    say: (line) => context.say(`lk: ${line}`),
  });
}
