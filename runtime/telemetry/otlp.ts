/** Spans on their way to a collector, as OTLP JSON over HTTP: in batches, bounded, never waited for. */
import { inTime } from '../deadline.ts';

export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly traceState?: string;
  readonly name: string;
  /** 1 internal, 2 server. */
  readonly kind: 1 | 2;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  /** 2: an error. */
  readonly status?: { readonly code: 2; readonly message: string };
}

export interface Attribute {
  readonly key: string;
  readonly value:
    | { readonly stringValue: string }
    | { readonly doubleValue: number }
    | { readonly intValue: string };
}

/** Spans that wait at most; those of one request; ms between requests, and until one is given up. */
const MAX_WAITING = 4096;
const BATCH = 512;
const EVERY_MS = 2000;
const ANSWER_MS = 10_000;
const CLOSE_MS = 2000;

export interface ExporterOptions {
  /** Base address of the collector; `/v1/traces` is added to it. */
  readonly endpoint: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly resource: readonly Attribute[];
  /** Hears once that spans are lost, until some arrive again. */
  readonly say: (line: string) => void;
}

export class Exporter {
  readonly #o: ExporterOptions;
  #waiting: Span[] = [];
  #sending: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #told = false;
  #closed = false;
  /** Spans that no collector will see. */
  dropped = 0;

  constructor(options: ExporterOptions) {
    this.#o = options;
  }

  /** Returns at once, whatever the collector does. */
  push(...spans: readonly Span[]): void {
    if (this.#closed || this.#waiting.length + spans.length > MAX_WAITING) {
      this.dropped += spans.length;
      return;
    }
    this.#waiting.push(...spans);
    if (this.#waiting.length >= BATCH) this.#send();
    else this.#timer ??= setTimeout(() => this.#send(), EVERY_MS).unref();
  }

  /** Sends what waits, for two seconds at most. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    await inTime(this.#rest(), CLOSE_MS);
  }

  async #rest(): Promise<void> {
    await this.#sending;
    while (this.#waiting.length > 0) await this.#post(this.#waiting.splice(0, BATCH));
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#sending) return;
    this.#sending = this.#post(this.#waiting.splice(0, BATCH)).finally(() => {
      this.#sending = null;
      if (!this.#closed && this.#waiting.length > 0) this.#send();
    });
  }

  async #post(spans: readonly Span[]): Promise<void> {
    const { endpoint, headers, resource } = this.#o;
    const scope = { name: 'lockkeeper' };
    const body = { resourceSpans: [{ resource: { attributes: resource }, scopeSpans: [{ scope, spans }] }] };
    try {
      const answer = await fetch(`${endpoint.replace(/\/+$/, '')}/v1/traces`, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify(body),
        redirect: 'error',
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      await answer.body?.cancel();
      if (!answer.ok) throw new Error(`it answered ${answer.status}`);
      this.#told = false;
    } catch (error) {
      this.dropped += spans.length;
      if (!this.#told) this.#o.say(`traces are not taken: ${(error as Error).message}`);
      this.#told = true;
    }
  }
}
