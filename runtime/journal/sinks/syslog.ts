/** Records as syslog messages (RFC 5424) over TLS with octet counting (RFC 5425). */
import { isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import type { AuditRecord } from '../../../schemas/audit.ts';
import { type Level, levelOf } from '../formats/facts.ts';
import { type Rendering, render } from '../formats/render.ts';
import { clean } from '../formats/text.ts';
import { type Sink, Undelivered } from './port.ts';

export interface SyslogOptions {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** The name that the certificate has to carry. */
  readonly serverName: string;
  readonly ca: Buffer | null;
  readonly client: { readonly cert: Buffer; readonly key: Buffer } | null;
  readonly enterprise: number;
  readonly rendering: Rendering;
  readonly timeoutMs?: number;
}

/** RFC 5612 reserves it for examples; nobody is meant by it. */
export const EXAMPLE_ENTERPRISE = 32_473;
const TIMEOUT_MS = 10_000;
/** Syslog acknowledges nothing: a receiver that is gone shows within a moment, when it resets the connection. */
const SETTLE_MS = 100;
const AUDIT_FACILITY = 13;
const SEVERITY: Readonly<Record<Level, number>> = { info: 6, notice: 5, warning: 4, error: 3 };

export function syslogSink(options: SyslogOptions): Sink {
  const { name, timeoutMs = TIMEOUT_MS } = options;
  let open: Promise<TLSSocket> | null = null;
  const drop = (socket: TLSSocket): void => {
    socket.destroy();
    open = null;
  };
  const opened = async (): Promise<TLSSocket> => {
    // A receiver may end an idle connection at any time.
    if ((await open?.catch(() => null))?.destroyed !== false) open = null;
    open ??= connectTo(options);
    return open;
  };
  return {
    name,
    deliver: async (records) => {
      const socket = await opened();
      try {
        const text = records.map((record) => framed(message(record, options))).join('');
        await within(timeoutMs, write(socket, text));
        await sleep(SETTLE_MS);
        if (socket.destroyed || socket.readableEnded) throw new Error('the connection was closed');
        return { upTo: records.at(-1)?.seq ?? 0 };
      } catch (cause) {
        drop(socket);
        throw new Undelivered(name, (cause as Error).message, { cause });
      }
    },
    close: async () => {
      const socket = await open?.catch(() => null);
      if (!socket) return;
      // Said to the end: what was written arrives before the connection goes.
      await within(1000, new Promise((resolve) => socket.end(() => resolve(undefined)))).catch(
        () => undefined,
      );
      drop(socket);
    },
  };
}

async function connectTo(options: SyslogOptions): Promise<TLSSocket> {
  const { name, host, port, serverName, ca, client, timeoutMs = TIMEOUT_MS } = options;
  const socket = connect({
    host,
    port,
    minVersion: 'TLSv1.2',
    ...(isIP(serverName) ? {} : { servername: serverName }),
    ...(ca ? { ca } : {}),
    ...(client ?? {}),
  });
  socket.setKeepAlive(true, 15_000);
  // What a receiver says back has no meaning, but would fill a buffer.
  socket.resume();
  try {
    await within(
      timeoutMs,
      new Promise((resolve, reject) => {
        socket.once('secureConnect', resolve);
        socket.once('error', reject);
      }),
    );
  } catch (cause) {
    socket.destroy();
    throw new Undelivered(name, (cause as Error).message, { cause });
  }
  socket.on('error', () => socket.destroy());
  socket.unref();
  return socket;
}

function write(socket: TLSSocket, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const closed = (): void => reject(new Error('the connection was closed'));
    socket.once('close', closed);
    socket.write(text, (error) => {
      socket.off('close', closed);
      if (error) reject(error);
      else resolve();
    });
    if (socket.destroyed) closed();
  });
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no progress in ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function framed(text: string): string {
  return `${Buffer.byteLength(text)} ${text}`;
}

/** One message: header, structured data, and the record in its format. */
export function message(record: AuditRecord, { enterprise, rendering }: SyslogOptions): string {
  const { body } = record;
  const priority = AUDIT_FACILITY * 8 + SEVERITY[levelOf(body)];
  const header = [
    `<${priority}>1`,
    body.at,
    word(rendering.host, 255),
    'lockkeeper',
    word(body.runtime, 128),
    word(body.kind, 32),
  ].join(' ');
  const head = `${header} ${structured(record, enterprise)} `;
  const room = Math.max(rendering.maxBytes - Buffer.byteLength(head), 512);
  return head + render(record, { ...rendering, maxBytes: room });
}

/** Printable ASCII without spaces, as header fields are; a dash for nothing. */
function word(text: string, max: number): string {
  return text.replace(/[^\x21-\x7e]/g, '-').slice(0, max) || '-';
}

function structured({ seq, body }: AuditRecord, enterprise: number): string {
  const { subject, caller } = body;
  const parameters: readonly (readonly [string, string | undefined])[] = [
    ['seq', String(seq)],
    ['user', body.user],
    ['via', caller?.via],
    ['teams', caller?.teams.join(',')],
    ['server', subject?.server],
    ['version', subject?.version],
    ['target', body.target],
    ['outcome', body.outcome],
    ['code', body.code],
  ];
  const shown = parameters.flatMap(([name, value]) =>
    value === undefined ? [] : [` ${name}="${clean(value, 96).replace(/["\\\]]/g, '\\$&')}"`],
  );
  return `[lockkeeper@${enterprise}${shown.join('')}]`;
}
