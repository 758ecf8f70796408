/** What judging the content of one answer costs, by its size and kind, beside reading it at all. */
import { type ContentJudge, contentJudge } from '../runtime/gate/results.ts';
import { LARGE_BYTES, parseMessage, type Response } from '../runtime/wire/message.ts';
import type { JsonObject } from '../schemas/common.ts';
import type { ContentControls } from '../schemas/content.ts';
import type { BenchResult } from './main.ts';

const KB = 1024;
const SIZES = [1, 100, 1024, 10 * 1024];
const PROSE =
  'The committee met on Tuesday to review the quarterly figures; attendance was good and no decision was taken. ' +
  'Items 4 and 7 were put off, since their token budget and the access policy were not ready. ';

/** So many bytes of answers: text, or rows in a form that the locked schema names. */
const KINDS: Readonly<Record<string, (bytes: number) => JsonObject>> = {
  text: (bytes) => ({
    content: [{ type: 'text', text: PROSE.repeat(bytes / PROSE.length + 1).slice(0, bytes) }],
  }),
  rows: (bytes) => ({
    content: [],
    structuredContent: {
      rows: Array.from({ length: bytes / 60 }, (_, id) => ({
        id,
        name: `row number ${id}`,
        ok: id % 2 === 0,
      })),
    },
  }),
};
const surface = {
  tools: {
    read: {
      name: 'read',
      outputSchema: {
        type: 'object',
        properties: {
          rows: {
            type: 'array',
            items: {
              type: 'object',
              properties: {
                id: { type: 'integer' },
                name: { type: 'string', pattern: '^[a-z]+ number \\d+$' },
                ok: { type: 'boolean' },
              },
              required: ['id', 'name'],
              additionalProperties: false,
            },
          },
        },
      },
    },
    text: { name: 'text' },
  },
};
const maxResultBytes = 32 * KB * KB;
const CONTROLS: Readonly<Record<string, ContentControls>> = {
  'all off': { secrets: 'off', instructions: 'off', maxResultBytes },
  default: { maxResultBytes },
};
const ASIDE_RUNS = 5;

export async function content(): Promise<BenchResult> {
  const rows: string[][] = [];
  const data: Record<string, number> = {};
  for (const [kind, make] of Object.entries(KINDS))
    for (const size of SIZES) {
      const bytes = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, result: make(size * KB) }));
      const times = [timed(() => parseMessage(bytes, true, Number.POSITIVE_INFINITY))];
      const message = parseMessage(bytes, true, Number.POSITIVE_INFINITY) as Response;
      for (const [name, controls] of Object.entries(CONTROLS)) {
        const options = {
          content: controls,
          entry: { server: 'a/b' },
          surface,
          journal: { key: Buffer.alloc(32) },
        };
        const judge = contentJudge(options);
        const asked = { method: 'tools/call', target: kind === 'rows' ? 'read' : 'text', rule: {} };
        times.push(timed(() => judge.answer(message, asked)));
        data[`${kind} ${size} KB ${name}`] = times.at(-1) ?? 0;
        if (name !== 'default') continue;
        const large = bytes.length >= LARGE_BYTES;
        const held = large ? await heldBy(() => judge.large(message, asked)) : null;
        data[`${kind} ${size} KB held`] = held ?? times.at(-1) ?? 0;
        times.push(data[`${kind} ${size} KB held`] ?? 0);
      }
      rows.push([`${kind} ${size} KB`, ...times.map((ms) => ms.toFixed(3))]);
    }
  return {
    head: ['answer', 'parse ms', 'schema and size ms', 'default ms', 'of it this thread ms'],
    rows,
    notes: [
      'Processor time. Parsing is paid anyway, by whoever judges; a locked output schema costs in nodes, reading texts in characters.',
      'A large answer is parsed and judged on a thread of its own; this thread pays for the copy that it hands over.',
      'Texts are read up to 4 Mi characters a message; what is beyond is flagged as unread, or blocked.',
    ],
    data,
  };
}

/** Milliseconds of this thread's processor time for one answer that is judged aside. */
async function heldBy(judge: () => ReturnType<ContentJudge['large']>): Promise<number> {
  await judge();
  const start = process.threadCpuUsage();
  for (let run = 0; run < ASIDE_RUNS; run++) await judge();
  const { user, system } = process.threadCpuUsage(start);
  return (user + system) / 1000 / ASIDE_RUNS;
}

/** Milliseconds of processor time for one run, over half a second of it: what else the machine does is not counted. */
function timed(run: () => unknown): number {
  run();
  const start = process.cpuUsage();
  for (let runs = 1; ; runs++) {
    run();
    const { user, system } = process.cpuUsage(start);
    if (user + system > 500_000 || runs === 20_000) return (user + system) / 1000 / runs;
  }
}
