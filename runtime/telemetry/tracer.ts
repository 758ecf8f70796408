/**
 * A span for each call, made from its records: judged, recorded, answered. A call that names a trace goes on in it; what
 * its caller does not sample is not sent.
 */
import type { AuditBody } from '../../schemas/audit.ts';
import { contextIn, contextOf, newContext, newSpanId, type TraceContext } from './context.ts';
import type { JournalObserver, SessionTelemetry } from './observed.ts';
import type { Attribute, Exporter, Span } from './otlp.ts';

/** Calls that are open at most; more are not traced. */
const MAX_OPEN = 10_000;

interface Open {
  readonly context: TraceContext;
  readonly id: string;
  readonly name: string;
  readonly attributes: readonly Attribute[];
  /** ms of the monotonic clock. */
  readonly received: number;
  readonly recorded: number;
  durable: number | null;
}

export class Tracer implements JournalObserver, SessionTelemetry {
  readonly #exporter: Pick<Exporter, 'push'>;
  readonly #open = new Map<string, Open>();
  #received: number | null = null;
  #header: TraceContext | null = null;

  constructor(exporter: Pick<Exporter, 'push'>) {
    this.#exporter = exporter;
  }

  /** The headers that the message which is taken next came with; `_meta` in it wins. */
  headers(traceparent: string | undefined, tracestate: string | undefined): void {
    this.#header = contextOf(traceparent, tracestate);
  }

  received(): void {
    this.#received = performance.now();
  }

  judged(): void {
    this.#received = null;
    this.#header = null;
  }

  recorded(body: AuditBody): void {
    if (body.kind === 'request.finished') return this.#end(body);
    if (body.kind !== 'request.forwarded' && body.kind !== 'request.refused') return;
    const context = contextIn(body.detail) ?? this.#header ?? newContext();
    if (!context.sampled) return;
    const now = performance.now();
    const { method = '', target } = body;
    const open: Open = {
      context,
      id: newSpanId(),
      name: (target === undefined ? method : `${method} ${target}`).slice(0, 200),
      attributes: attributesOf(body),
      received: this.#received ?? now,
      recorded: now,
      durable: null,
    };
    if (body.kind === 'request.refused') return this.#send(open, now, body);
    if (body.call === undefined || this.#open.size >= MAX_OPEN) return;
    this.#open.set(body.call, open);
  }

  settled(body: AuditBody): void {
    const open = body.kind === 'request.forwarded' ? this.#open.get(body.call ?? '') : undefined;
    if (open) open.durable = performance.now();
  }

  #end(body: AuditBody): void {
    const open = this.#open.get(body.call ?? '');
    if (!open) return;
    this.#open.delete(body.call ?? '');
    this.#send(open, performance.now(), body);
  }

  #send(open: Open, end: number, { outcome = 'lost', code, message = '' }: AuditBody): void {
    const { context, id, name, received, recorded, durable } = open;
    const failed =
      outcome === 'ok' ? {} : { status: { code: 2, message: (code ?? message).slice(0, 200) } as const };
    const attributes = [
      ...open.attributes,
      text('lockkeeper.outcome', outcome),
      ...(code === undefined ? [] : [text('error.type', code)]),
    ];
    const whole: Span = {
      ...spanOf(context, { id, parent: context.parent }, [received, end]),
      name,
      kind: 2,
      attributes,
      ...failed,
    };
    const part = (label: string, from: number, to: number): Span => ({
      ...spanOf(context, { id: newSpanId(), parent: id }, [from, to]),
      name: label,
      kind: 1,
      attributes: [],
    });
    const parts = [part('gate', received, recorded)];
    if (durable !== null) parts.push(part('record', recorded, durable), part('server', durable, end));
    this.#exporter.push(whole, ...parts);
  }
}

function spanOf(
  { trace, state }: TraceContext,
  { id, parent }: { id: string; parent: string | null },
  [from, to]: readonly [number, number],
) {
  return {
    traceId: trace,
    spanId: id,
    ...(parent === null ? {} : { parentSpanId: parent }),
    ...(state === '' ? {} : { traceState: state }),
    startTimeUnixNano: nanos(from),
    endTimeUnixNano: nanos(Math.max(from, to)),
  };
}

function nanos(monotonic: number): string {
  return String(BigInt(Math.round((performance.timeOrigin + monotonic) * 1000)) * 1000n);
}

function text(key: string, value: string): Attribute {
  return { key, value: { stringValue: value.slice(0, 200) } };
}

function attributesOf({
  method = '',
  target,
  session,
  call,
  subject,
  direction = 'to-server',
}: AuditBody): Attribute[] {
  return [
    text('mcp.method.name', method),
    text('mcp.session.id', session),
    text('lockkeeper.direction', direction),
    ...(call === undefined ? [] : [text('lockkeeper.call', call)]),
    ...(method === 'tools/call' && target !== undefined ? [text('gen_ai.tool.name', target)] : []),
    ...(subject
      ? [text('lockkeeper.server', subject.server), text('lockkeeper.version', subject.version)]
      : []),
  ];
}
