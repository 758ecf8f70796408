/** Records as a signed POST. */
import { createHmac } from 'node:crypto';
import type { AuditRecord } from '../../../schemas/audit.ts';
import { type Rendering, render } from '../formats/render.ts';
import type { Sink } from './port.ts';
import { fitting, type PostOptions, poster } from './post.ts';

export interface WebhookOptions extends PostOptions {
  readonly secret: Buffer;
  readonly rendering: Rendering;
  readonly now: () => Date;
}

/** Header of the signature: `t=` seconds, `v1=` hex of the HMAC-SHA-256 over the seconds, a dot and the body. */
const SIGNATURE_HEADER = 'lockkeeper-signature';

export function signatureOf(secret: Buffer, seconds: number, body: string): string {
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
}

export function webhookSink({ secret, rendering, now, ...to }: WebhookOptions): Sink {
  const { post, close } = poster(to);
  return {
    name: to.name,
    deliver: async (records) => {
      await fitting(rendering, records.length, (fit) => {
        const body = bodyOf(records, fit);
        const seconds = Math.floor(now().getTime() / 1000);
        return post(body, {
          'content-type': 'application/json',
          [SIGNATURE_HEADER]: signatureOf(secret, seconds, body),
        });
      });
      return { upTo: records.at(-1)?.seq ?? 0 };
    },
    close: async () => close(),
  };
}

function bodyOf(records: readonly AuditRecord[], rendering: Rendering): string {
  const lines = records.map((record) => render(record, rendering));
  const items = rendering.format === 'cef' ? lines.map((line) => JSON.stringify(line)) : lines;
  const [first, last] = [records[0], records.at(-1)];
  const head = JSON.stringify({
    lockkeeper: 'records/v1',
    format: rendering.format,
    runtime: first?.body.runtime,
    from: first?.seq,
    to: last?.seq,
  });
  return `${head.slice(0, -1)},"records":[${items.join(',')}]}`;
}
