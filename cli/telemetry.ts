/** What a running face counts, traces and says of its health: metrics and health always, traces where a collector is named. */
import { hostname } from 'node:os';
import type { Journal } from '../runtime/journal/journal.ts';
import type { OpenSinks } from '../runtime/journal/sinks/open.ts';
import { type Metrics, metrics } from '../runtime/telemetry/metrics.ts';
import { observedJournal, type SessionTelemetry } from '../runtime/telemetry/observed.ts';
import { Exporter } from '../runtime/telemetry/otlp.ts';
import { Tracer } from '../runtime/telemetry/tracer.ts';
import { VERSION } from '../schemas/version.ts';

export interface Telemetry {
  /** The journal to write to, so that records are counted and traced. */
  readonly journal: Journal;
  readonly metrics: Metrics;
  /** Null where no collector is named. */
  readonly tracer: Tracer | null;
  /** For each session. */
  readonly sessions: readonly SessionTelemetry[];
  /** Sends what waits, for two seconds at most. */
  close(): Promise<void>;
}

export interface TelemetryOptions {
  readonly journal: Journal;
  /** Base address of an OTLP collector. */
  readonly collector: string | null;
  readonly say: (line: string) => void;
}

/** Throws nothing, asks nobody: what cannot be sent is dropped and counted. */
export function openTelemetry({ journal, collector, say }: TelemetryOptions): Telemetry {
  const counted = metrics();
  const exporter =
    collector === null ? null : new Exporter({ endpoint: collector, resource: resourceOf(journal), say });
  const tracer = exporter && new Tracer(exporter);
  if (exporter) counted.gauge('spans_dropped', 'Spans that no collector took.', () => exporter.dropped);
  const sessions = tracer ? [counted, tracer] : [counted];
  return {
    journal: observedJournal(journal, ...sessions),
    metrics: counted,
    tracer,
    sessions,
    close: async () => exporter?.close(),
  };
}

/** How those who are told of the journal stand. */
export function countSinks(counted: Metrics, sinks: Pick<OpenSinks, 'states'>): void {
  const down = (): number => sinks.states().filter(({ state }) => state === 'down').length;
  const behind = (): number => Math.max(0, ...sinks.states().map((state) => state.behind));
  const lost = (): number => sinks.states().reduce((sum, state) => sum + state.lost, 0);
  counted.gauge('sinks_down', 'Sinks whose last delivery failed.', down);
  counted.gauge('sinks_behind', 'Records that the slowest sink has not taken.', behind);
  counted.gauge('sinks_lost', 'Records that sinks will never have.', lost);
}

function resourceOf({ id }: Journal) {
  const values = {
    'service.name': 'lockkeeper',
    'service.version': VERSION,
    'service.instance.id': id,
    'host.name': hostname(),
  };
  return Object.entries(values).map(([key, stringValue]) => ({ key, value: { stringValue } }));
}
