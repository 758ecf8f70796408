/** Logistic regression over windows of sentences. Of an attack only its worst window has to look like one. */

import { serversOf, surfaceWith } from '../../bench/quality/judged.ts';
import type { ToolRecord } from '../../bench/quality/records.ts';
import { isReal } from '../../bench/quality/score.ts';
import type { Read } from '../../scanner/reading/features.ts';
import { BITS, bucketsOf } from '../../scanner/reading/features.ts';
import type { Weights } from '../../scanner/reading/opinion.ts';
import { readingOf } from '../../scanner/reading/passages.ts';
import { pointerOf } from '../../schemas/surface.ts';
import { type Made, make, numbers } from './make.ts';
import { SLOTS } from './slots.ts';

const SIZE = 1 << BITS;
const SEED = 7;
/** Texts of each template, passes over all windows, and models whose mean is taken. */
const EACH = 30;
const EPOCHS = 6;
const MODELS = 3;
const RATE = 0.4;
const DECAY = 1e-3;

/** Windows of one text as buckets. */
type Windows = readonly Int32Array[];

const bucketed = (windows: readonly (readonly Read[])[]): Int32Array[] =>
  windows.map((reads) => Int32Array.from(bucketsOf(reads)));

/** What is read of each tool, exactly as a scan reads it: those of a real server together. */
export function windowsOfTools(records: readonly ToolRecord[]): Windows[] {
  const [real, single] = [records.filter(isReal), records.filter((record) => !isReal(record))];
  return [...single.map((record) => [record]), ...serversOf(real)].flatMap((group) => {
    const surface = surfaceWith(group.map(({ tool }) => tool));
    const { passages } = readingOf({ surface, other: surface });
    return group.map(({ tool }) => {
      const place = `${pointerOf('tools', tool.name)}/`;
      return passages.filter(({ at }) => at.startsWith(place)).flatMap(({ windows }) => bucketed(windows));
    });
  });
}

/** One in so many texts stands in the tool that it names first. */
const ITSELF = 8;
/** One in so many attacks speaks of tools of its own server, and one in so many honest texts of tools elsewhere. */
const INSIDE = 6;
const OUTSIDE = 5;
/** One in so many texts stands in a schema: as what a field says, or as what is put into it. */
const IN_FIELD = 7;
const FIELDS = [
  (description: string) => ({ inputSchema: { properties: { one: { description } } } }),
  (description: string) => ({ inputSchema: { properties: { one: { default: description } } } }),
  (description: string) => ({ outputSchema: { properties: { one: { description } } } }),
  (description: string) => ({ inputSchema: { properties: { one: { enum: ['other', description] } } } }),
] as const;
const SIBLINGS = (SLOTS.victim ?? []).map((name) => ({ name }));

/** Half of what is made stands at the beginning of its text, half behind an honest sentence. */
export function windowsOfMade(): { readonly attacks: Windows[]; readonly honest: Windows[] } {
  const { attacks, honest } = make(EACH, SEED);
  const windows = ({ kind, text }: Made, index: number, inside: boolean): Windows => {
    const description = index % 2 === 0 ? text : `Returns what is asked for.\n${text}`;
    const beside = inside ? SIBLINGS.filter(({ name }) => text.includes(name)) : [];
    const place = index % IN_FIELD === 0 || kind === 'fields' ? FIELDS[index % FIELDS.length] : undefined;
    const name = (index % ITSELF === 1 && /\b[a-z]+_[a-z_]+\b/.exec(text)?.[0]) || 'made';
    const surface = surfaceWith([
      { name, ...(place?.(description) ?? { description }) },
      ...beside.filter((one) => one.name !== name),
    ]);
    const { passages } = readingOf({ surface, other: surface });
    return passages
      .filter(({ at, text: whole }) => at.startsWith(`/tools/${name}/`) && whole === description)
      .flatMap(({ windows: all }) =>
        bucketed(all.filter(([first]) => index % 2 === 0 || first?.opens !== true)),
      );
  };
  return {
    attacks: attacks.map((made, index) => windows(made, index, index % INSIDE === 0)),
    honest: honest.map((made, index) => windows(made, index, index % OUTSIDE !== 0)),
  };
}

export function train(attacks: readonly Windows[], honest: readonly Windows[]): Weights {
  const negatives = distinct(honest.flat());
  const positives = attacks.filter((windows) => windows.length > 0);
  const mean = new Float64Array(SIZE);
  let bias = 0;
  for (let turn = 0; turn < MODELS; turn++) {
    const model = new Model(SEED + turn);
    model.learn(positives, negatives);
    for (let i = 0; i < SIZE; i++) mean[i] = (mean[i] ?? 0) + (model.weights[i] ?? 0) / MODELS;
    bias += model.bias / MODELS;
  }
  const top = mean.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0);
  const scale = rounded(top / 127);
  const data = Int8Array.from(mean, (weight) => Math.round(weight / scale));
  return { data, scale, bias: rounded(bias) };
}

const rounded = (value: number): number => Number(value.toPrecision(6));

function distinct(windows: Windows): Int32Array[] {
  return [...new Map(windows.map((window) => [window.join(), window])).values()];
}

class Model {
  readonly weights = new Float64Array(SIZE);
  bias = -1;
  readonly #squares = new Float64Array(SIZE).fill(1e-3);
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = numbers(seed);
  }

  learn(positives: readonly Windows[], negatives: readonly Int32Array[]): void {
    const items = [
      ...positives.map((windows) => ({ label: 1, windows })),
      ...negatives.map((window) => ({ label: 0, windows: [window] as Windows })),
    ];
    for (let epoch = 0; epoch < EPOCHS; epoch++) {
      this.#shuffle(items);
      for (const { label, windows } of items) {
        // At first nobody knows which window it is.
        const which = label === 1 && epoch > 0 ? [this.#worst(windows)] : windows;
        for (const window of which) this.#step(window, label, 1 / which.length);
      }
    }
  }

  #score(window: Int32Array): number {
    let sum = 0;
    for (const bucket of window) sum += this.weights[bucket] ?? 0;
    return sum / Math.sqrt(window.length || 1) + this.bias;
  }

  #worst(windows: Windows): Int32Array {
    return windows.reduce((worst, window) => (this.#score(window) > this.#score(worst) ? window : worst));
  }

  #step(window: Int32Array, label: number, share: number): void {
    const error = (1 / (1 + Math.exp(-this.#score(window))) - label) * share;
    const part = error / Math.sqrt(window.length || 1);
    for (const bucket of window) {
      const gradient = part + DECAY * (this.weights[bucket] ?? 0);
      const squares = (this.#squares[bucket] ?? 0) + gradient * gradient;
      this.#squares[bucket] = squares;
      this.weights[bucket] = (this.weights[bucket] ?? 0) - (RATE * gradient) / Math.sqrt(squares);
    }
    this.bias -= 0.01 * error;
  }

  #shuffle<T>(items: T[]): void {
    for (let i = items.length - 1; i > 0; i--) {
      const j = Math.floor(this.#random() * (i + 1));
      const [a, b] = [items[i] as T, items[j] as T];
      items[i] = b;
      items[j] = a;
    }
  }
}
