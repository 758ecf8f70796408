/** What a registry counts of itself, and what its database says now, in Prometheus' text format. */
import type { ServerResponse } from 'node:http';
import { Counter, Gauge, Histogram, type Labels } from '../runtime/telemetry/exposition.ts';
import type { RouteName } from '../schemas/api.ts';
import { type DatabaseFigures, databaseFigures } from './db/figures.ts';
import type { Pool } from './db/pool.ts';

export interface RegistryMetrics {
  /** Counts a request of a route until its answer has ended; a stream is open until then. */
  watch(route: RouteName, response: ServerResponse): void;
  /** Everything. Asks the database once. */
  text(): Promise<string>;
}

const named = (name: string, help: string, ...labels: string[]) => ({
  name: `lockkeeper_registry_${name}`,
  help,
  labels,
});

/** Of this process are requests and the pool; of the database, and so the same in every process, is the rest. */
export function registryMetrics(pool: Pool): RegistryMetrics {
  const requests = new Counter(named('requests_total', 'Answers of this process.', 'route', 'status'));
  const seconds = new Histogram(named('request_seconds', 'Time until an answer had ended.', 'route'));
  const open = new Map<RouteName, number>();
  const change = (route: RouteName, by: number): void => void open.set(route, (open.get(route) ?? 0) + by);
  const now = [
    new Gauge(named('open_requests', 'Requests whose answer goes on, streams among them.', 'route'), () =>
      [...open].map(([route, count]) => [{ route }, count] as const),
    ),
    new Gauge(named('connections', 'Connections of this process to the database.', 'state'), () => [
      [{ state: 'used' }, pool.totalCount - pool.idleCount],
      [{ state: 'idle' }, pool.idleCount],
      [{ state: 'awaited' }, pool.waitingCount],
    ]),
  ];
  return {
    watch: (route, response) => {
      const began = performance.now();
      change(route, 1);
      response.once('close', () => {
        change(route, -1);
        // Nobody was answered who went before.
        const status = response.headersSent ? String(response.statusCode) : 'none';
        requests.add({ route, status });
        seconds.observe({ route }, (performance.now() - began) / 1000);
      });
    },
    text: async () => {
      const families = [requests, seconds, ...now, ...gaugesOf(await databaseFigures(pool))];
      return `${families.flatMap((family) => family.lines()).join('\n')}\n`;
    },
  };
}

function gaugesOf({ jobs, releases, people }: DatabaseFigures): Gauge[] {
  const by =
    <T>(items: readonly T[], read: (item: T) => readonly [Labels, number]) =>
    (): (readonly [Labels, number])[] =>
      items.map(read);
  return [
    new Gauge(
      named('jobs', 'Jobs of the queue: due or later, at work, failed for good.', 'task', 'state'),
      by(jobs, ({ task, state, count }) => [{ task, state }, count]),
    ),
    new Gauge(
      named('oldest_job_seconds', 'How long the job that waits longest is due.', 'task'),
      by(
        jobs.filter(({ state }) => state === 'waiting'),
        ({ task, due }) => [{ task }, due],
      ),
    ),
    new Gauge(
      named('releases', 'Releases by state.', 'state'),
      by(releases, ({ state, count }) => [{ state }, count]),
    ),
    new Gauge(named('people', 'People who are here.'), () => [[{}, people]]),
  ];
}
