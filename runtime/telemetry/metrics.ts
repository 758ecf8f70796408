/** What a runtime counts and measures, told from its own records: what is in no record is in no figure. */
import type { AuditBody } from '../../schemas/audit.ts';
import type { Json } from '../../schemas/common.ts';
import {
  NOTICES_TO_CLIENT,
  NOTICES_TO_SERVER,
  REQUESTS_TO_CLIENT,
  REQUESTS_TO_SERVER,
} from '../gate/methods.ts';
import type { Breaker } from '../lifecycle/breaker.ts';
import { isObject } from '../wire/message.ts';
import { Counter, type Family, Gauge, Histogram, type Labels } from './exposition.ts';
import type { JournalObserver, SessionTelemetry } from './observed.ts';

/** Anybody may say any word; labels are of these. */
const METHODS = new Set([
  'initialize',
  ...Object.keys(REQUESTS_TO_SERVER.session),
  ...Object.keys(REQUESTS_TO_SERVER.stateless),
  ...Object.keys(REQUESTS_TO_CLIENT),
  ...NOTICES_TO_CLIENT,
  ...NOTICES_TO_SERVER,
]);
const REFUSALS: ReadonlySet<string> = new Set([
  'session.refused',
  'request.refused',
  'notice.refused',
  'response.refused',
]);

export interface Metrics extends JournalObserver, SessionTelemetry {
  /** Everything, in Prometheus' text format 0.0.4. */
  text(): string;
  /** Shows the state of the breaker of one server from now on. */
  breaker(server: string, breaker: Pick<Breaker, 'state'>): void;
  /** Adds a gauge of somebody else; its name without the prefix. */
  gauge(name: string, help: string, read: () => number): void;
}

export function metrics(): Metrics {
  return new RuntimeMetrics();
}

const named = (name: string, help: string, ...labels: string[]) => ({
  name: `lockkeeper_${name}`,
  help,
  labels,
});

class RuntimeMetrics implements Metrics {
  readonly #calls = new Counter(
    named('calls_total', 'Answered or lost calls.', 'server', 'method', 'tool', 'outcome', 'code'),
  );
  readonly #refusals = new Counter(
    named('refusals_total', 'What was refused.', 'server', 'kind', 'method', 'code'),
  );
  readonly #bytes = new Counter(named('bytes_total', 'Bytes of calls and answers.', 'server', 'direction'));
  readonly #found = new Counter(
    named('content_found_total', 'Messages with such content.', 'server', 'kind', 'outcome'),
  );
  readonly #egress = new Counter(named('connections_total', 'Connections asked for.', 'server', 'outcome'));
  readonly #drift = new Counter(named('drift_total', 'Listed items that are not the locked ones.', 'server'));
  readonly #failures = new Counter(named('journal_failures_total', 'Records that could not be kept.'));
  readonly #gate = new Histogram(named('gate_seconds', 'Time in which one message was judged.'));
  readonly #journal = new Histogram(named('journal_seconds', 'Time until a record was on the disk.'));
  readonly #upstream = new Histogram(
    named('call_seconds', 'Time from a call to its answer.', 'server', 'method'),
  );
  readonly #sessions = new Set<string>();
  readonly #instances = new Map<string, Labels>();
  readonly #breakers = new Map<string, Pick<Breaker, 'state'>>();
  readonly #others: Gauge[] = [];
  #waiting = 0;
  #received = 0;

  recorded(body: AuditBody, awaited: boolean): void {
    if (awaited) this.#waiting++;
    const server = body.subject?.server ?? '';
    const { kind, outcome = '', code = '', bytes = 0 } = body;
    const method = METHODS.has(body.method ?? '') ? (body.method ?? '') : 'other';
    if (REFUSALS.has(kind)) this.#refusals.add({ server, kind, method, code });
    else if (kind === 'request.finished') this.#finished(body, { server, method });
    else if (kind === 'request.forwarded') this.#bytes.add({ server, direction: 'calls' }, bytes);
    else if (kind === 'content.flagged')
      for (const found of kindsOf(body.detail)) this.#found.add({ server, kind: found, outcome });
    else if (kind === 'egress.allowed' || kind === 'egress.refused') this.#egress.add({ server, outcome });
    else if (kind === 'surface.drift') this.#drift.add({ server });
    else this.#lived(body, server);
  }

  settled(_: AuditBody, ms: number, failed: unknown): void {
    this.#waiting--;
    if (failed === null) this.#journal.observe({}, ms / 1000);
    else this.#failures.add({});
  }

  received(): void {
    this.#received = performance.now();
  }

  judged(): void {
    this.#gate.observe({}, (performance.now() - this.#received) / 1000);
  }

  breaker(server: string, breaker: Pick<Breaker, 'state'>): void {
    this.#breakers.set(server, breaker);
  }

  gauge(name: string, help: string, read: () => number): void {
    // A page that has a name twice is read by nobody.
    if (this.text().includes(`# TYPE lockkeeper_${name} `))
      throw new Error(`there is a metric ${name} already`);
    this.#others.push(new Gauge(named(name, help), () => [[{}, read()]]));
  }

  text(): string {
    const gauges: Family[] = [
      new Gauge(named('sessions', 'Sessions that go on.'), () => [[{}, this.#sessions.size]]),
      new Gauge(named('instances', 'Servers by state.', 'server', 'state'), () => this.#states()),
      new Gauge(named('journal_waiting', 'Records not on the disk yet.'), () => [[{}, this.#waiting]]),
      new Gauge(named('breaker_open', '1 open, 0.5 half-open, 0 closed.', 'server'), () =>
        [...this.#breakers].map(([server, { state }]) => [{ server }, OPEN[state]] as const),
      ),
      ...this.#others,
    ];
    const counted: Family[] = [
      this.#calls,
      this.#refusals,
      this.#bytes,
      this.#found,
      this.#egress,
      this.#drift,
      this.#failures,
      this.#gate,
      this.#journal,
      this.#upstream,
    ];
    return `${[...counted, ...gauges].flatMap((family) => family.lines()).join('\n')}\n`;
  }

  #finished(body: AuditBody, at: { server: string; method: string }): void {
    const { outcome = '', code = '', bytes = 0, durationMs } = body;
    // Only what passed the gate has a name that is locked.
    const tool = at.method === 'tools/call' ? (body.target ?? '') : '';
    this.#calls.add({ ...at, tool, outcome, code });
    this.#bytes.add({ server: at.server, direction: 'answers' }, bytes);
    if (durationMs !== undefined) this.#upstream.observe(at, durationMs / 1000);
  }

  #lived({ kind, session, detail }: AuditBody, server: string): void {
    if (kind === 'session.started') this.#sessions.add(session);
    if (kind === 'session.ended') {
      this.#sessions.delete(session);
      this.#instances.delete(`${session} ${server}`);
    }
    if (kind !== 'server.state' || !isObject(detail) || typeof detail.to !== 'string') return;
    if (detail.to === 'COLD') this.#instances.delete(`${session} ${server}`);
    else this.#instances.set(`${session} ${server}`, { server, state: detail.to });
  }

  #states(): [Labels, number][] {
    const counts = new Map<string, [Labels, number]>();
    for (const labels of this.#instances.values()) {
      const key = JSON.stringify(labels);
      counts.set(key, [labels, (counts.get(key)?.[1] ?? 0) + 1]);
    }
    return [...counts.values()];
  }
}

const OPEN = { open: 1, 'half-open': 0.5, closed: 0 } as const;

function kindsOf(detail: Json | undefined): string[] {
  const kinds = isObject(detail) ? detail.kinds : undefined;
  return Array.isArray(kinds) ? kinds.filter((kind) => typeof kind === 'string') : [];
}
