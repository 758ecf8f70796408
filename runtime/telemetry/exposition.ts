/** Counters, gauges and histograms in Prometheus' text format, each with a bound on how many series it may have. */

export type Labels = Readonly<Record<string, string>>;

/** Series of one family; what is beyond is counted as one, with `other` in the place of each label. */
const MAX_SERIES = 500;
/** Characters of one label's value. */
const MAX_VALUE = 120;
/** Characters of one label's value that is known again. */
const MAX_KNOWN = 200;

interface Head {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
}

/** What a page of metrics is made of. */
export interface Family {
  lines(): string[];
}

function seriesOf(labels: readonly string[], values: Labels): string {
  const parts = labels.map((label) => {
    const value = (values[label] ?? '').slice(0, MAX_VALUE).toWellFormed();
    return `${label}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
  });
  return parts.join(',');
}

const braced = (series: string): string => (series === '' ? '' : `{${series}}`);

/** What is known by the value of one label after the other: nothing is put together to be looked up. */
interface Known<T> {
  readonly below: Map<string, Known<T>>;
  value: T | undefined;
}

/** The value kept for these labels, made where there is room, or the one that all others share. */
class Series<T> {
  readonly #labels: readonly string[];
  readonly #make: () => T;
  readonly #values = new Map<string, T>();
  /** By the labels' values as they come: most calls have those of a call before. */
  #known: Known<T> = { below: new Map(), value: undefined };
  #count = 0;

  constructor(labels: readonly string[], make: () => T) {
    this.#labels = labels;
    this.#make = make;
  }

  at(values: Labels): T {
    let known: Known<T> | undefined = this.#known;
    for (const label of this.#labels) known = known?.below.get(values[label] ?? '');
    return known?.value ?? this.#learn(values);
  }

  #learn(values: Labels): T {
    const value = this.#find(values);
    const given = this.#labels.map((label) => values[label] ?? '');
    if (given.some(({ length }) => length > MAX_KNOWN)) return value;
    if (++this.#count > MAX_SERIES) [this.#known, this.#count] = [{ below: new Map(), value: undefined }, 1];
    let known = this.#known;
    for (const one of given) {
      const next: Known<T> = known.below.get(one) ?? { below: new Map(), value: undefined };
      known.below.set(one, next);
      known = next;
    }
    known.value = value;
    return value;
  }

  #find(values: Labels): T {
    const series = seriesOf(this.#labels, values);
    const known = this.#values.get(series);
    if (known !== undefined) return known;
    const full = this.#values.size >= MAX_SERIES - 1;
    const key = full
      ? seriesOf(this.#labels, Object.fromEntries(this.#labels.map((l) => [l, 'other'])))
      : series;
    const value = this.#values.get(key) ?? this.#make();
    this.#values.set(key, value);
    return value;
  }

  entries(): Iterable<[string, T]> {
    return this.#values.entries();
  }
}

/** Only ever grows. */
export class Counter implements Family {
  readonly #head: Head;
  readonly #series: Series<{ count: number }>;

  constructor(head: Head) {
    this.#head = head;
    this.#series = new Series(head.labels, () => ({ count: 0 }));
  }

  add(labels: Labels, by = 1): void {
    this.#series.at(labels).count += by;
  }

  lines(): string[] {
    const { name, help } = this.#head;
    const values = [...this.#series.entries()].map(
      ([series, { count }]) => `${name}${braced(series)} ${count}`,
    );
    return [`# HELP ${name} ${help}`, `# TYPE ${name} counter`, ...values];
  }
}

/** Read when it is asked for. */
export class Gauge implements Family {
  readonly #head: Head;
  readonly #read: () => Iterable<readonly [Labels, number]>;

  constructor(head: Head, read: () => Iterable<readonly [Labels, number]>) {
    this.#head = head;
    this.#read = read;
  }

  lines(): string[] {
    const { name, help, labels } = this.#head;
    const values = [...this.#read()].slice(0, MAX_SERIES);
    return [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} gauge`,
      ...values.map(([at, value]) => `${name}${braced(seriesOf(labels, at))} ${value}`),
    ];
  }
}

/** Upper bounds in seconds. */
const BOUNDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120];

export class Histogram implements Family {
  readonly #head: Head;
  readonly #series: Series<{ sum: number; buckets: number[] }>;

  constructor(head: Head) {
    this.#head = head;
    this.#series = new Series(head.labels, () => ({ sum: 0, buckets: Array(BOUNDS.length + 1).fill(0) }));
  }

  observe(labels: Labels, seconds: number): void {
    const series = this.#series.at(labels);
    const found = BOUNDS.findIndex((bound) => seconds <= bound);
    const at = found < 0 ? BOUNDS.length : found;
    series.buckets[at] = (series.buckets[at] ?? 0) + 1;
    series.sum += seconds;
  }

  lines(): string[] {
    const { name, help } = this.#head;
    const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`];
    for (const [series, { sum, buckets }] of this.#series.entries()) {
      const before = series === '' ? '' : `${series},`;
      let count = 0;
      for (const [at, bucket] of buckets.entries()) {
        count += bucket;
        lines.push(`${name}_bucket{${before}le="${BOUNDS[at] ?? '+Inf'}"} ${count}`);
      }
      lines.push(`${name}_sum${braced(series)} ${sum}`, `${name}_count${braced(series)} ${count}`);
    }
    return lines;
  }
}
