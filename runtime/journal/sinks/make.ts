/** From a configured sink to one that delivers. What is missing or cannot be is refused before anything starts. */
import { constants, open } from 'node:fs/promises';
import { LockkeeperError, quote } from '../../../schemas/errors.ts';
import type { OtlpSink, SinkConfig, SyslogSink, WebhookSink } from '../../../schemas/sinks.ts';
import type { Rendering } from '../formats/render.ts';
import { FILE_BYTES, fileSink } from './file.ts';
import { otlpSink } from './otlp.ts';
import type { Sink } from './port.ts';
import { EXAMPLE_ENTERPRISE, syslogSink } from './syslog.ts';
import { webhookSink } from './webhook.ts';

export interface MakeOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Name of this machine, as receivers see it. */
  readonly host: string;
  readonly now: () => Date;
}

/** Bytes of one record in a request. */
const POST_BYTES = 256 * 1024;
/** What receivers commonly take as one message. */
const SYSLOG_BYTES = 8192;
const SYSLOG_PORT = 6514;
const SECRET_BYTES = 64 * 1024;
/** Bytes of a key that a signature takes. */
const LEAST_SECRET = 16;

/** Throws CONFIG_INVALID. */
export async function makeSink(name: string, config: SinkConfig, options: MakeOptions): Promise<Sink> {
  const { format = 'native' } = config;
  const rendering = (maxBytes: number): Rendering => ({ format, host: options.host, maxBytes });
  switch (config.kind) {
    case 'file':
      return fileSink(name, config, rendering(FILE_BYTES));
    case 'syslog':
      return makeSyslog(name, config, { ...options, rendering: rendering(config.maxBytes ?? SYSLOG_BYTES) });
    case 'webhook':
      return makeWebhook(name, config, { ...options, rendering: rendering(POST_BYTES) });
    case 'otlp':
      return makeOtlp(name, config, { ...options, rendering: rendering(POST_BYTES) });
  }
}

type With = MakeOptions & { readonly rendering: Rendering };

async function makeSyslog(name: string, config: SyslogSink, options: With): Promise<Sink> {
  const { host, port = SYSLOG_PORT, client, enterprise = EXAMPLE_ENTERPRISE, serverName = host } = config;
  const own = client && {
    cert: await bytesOf(name, client.certificate),
    key: await secretOf(name, client.key, options),
  };
  const { rendering } = options;
  const ca = await caOf(name, config.ca);
  return syslogSink({ name, host, port, serverName, enterprise, ca, client: own ?? null, rendering });
}

async function makeWebhook(name: string, config: WebhookSink, options: With): Promise<Sink> {
  const secret = await secretOf(name, config.secret, options);
  if (secret.length < LEAST_SECRET)
    throw invalid(name, `a secret of at least ${LEAST_SECRET} bytes`, `one of ${secret.length}`);
  const url = urlOf(name, config.url);
  const ca = await caOf(name, config.ca);
  return webhookSink({ name, url, secret, ca, rendering: options.rendering, now: options.now });
}

async function makeOtlp(name: string, config: OtlpSink, options: With): Promise<Sink> {
  const headers: Record<string, string> = {};
  for (const [header, reference] of Object.entries(config.headers ?? {})) {
    const value = (await secretOf(name, reference, options)).toString('utf8');
    if (!/^[\x20-\x7e]*$/.test(value))
      throw invalid(name, `${header} as one line of printable characters`, 'others');
    headers[header] = value;
  }
  const url = urlOf(name, config.url);
  const ca = await caOf(name, config.ca);
  return otlpSink({ name, url, headers, ca, rendering: options.rendering, now: options.now });
}

/** The schema has looked at its scheme; a name and a password in it would be kept where addresses are shown. */
function urlOf(name: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url && url.username === '' && url.password === '') return url.href;
  throw invalid(name, 'an address without a user and a password', url ? 'one with them' : quote(text));
}

async function caOf(name: string, path: string | undefined): Promise<Buffer | null> {
  if (path === undefined) return null;
  const bytes = await bytesOf(name, path);
  if (bytes.includes('-----BEGIN CERTIFICATE-----')) return bytes;
  throw invalid(name, `certificates in PEM in ${quote(path)}`, 'none');
}

/** The secret a reference leads to, without the line's end that editors add. */
async function secretOf(name: string, reference: string, { environment }: MakeOptions): Promise<Buffer> {
  const isFile = reference.startsWith('file:');
  const place = reference.slice(reference.indexOf(':') + 1);
  const text = isFile ? (await bytesOf(name, place, true)).toString('utf8') : (environment[place] ?? '');
  const secret = Buffer.from(text.replace(/\r?\n$/, ''));
  if (secret.length > 0) return secret;
  throw invalid(name, `a secret in ${reference}`, 'nothing');
}

/** A regular file of bounded size; a secret one that not everybody may read. */
async function bytesOf(name: string, path: string, secret = false): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(
    (cause: NodeJS.ErrnoException) => {
      throw invalid(name, `${quote(path)} to be readable`, cause.code ?? cause.message, cause);
    },
  );
  try {
    const { size, mode, isFile } = await file.stat().then((stat) => ({ ...stat, isFile: stat.isFile() }));
    if (!isFile || size > SECRET_BYTES)
      throw invalid(name, `${quote(path)} to be a file of at most ${SECRET_BYTES} bytes`, 'something else');
    if (secret && (mode & 0o007) !== 0)
      throw invalid(name, `${quote(path)} closed to others`, `mode 0${(mode & 0o777).toString(8)}`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

function invalid(name: string, expected: string, found: string, cause?: unknown): LockkeeperError {
  return new LockkeeperError('CONFIG_INVALID', {
    expected: `for the sink ${name} ${expected}`,
    found,
    next: 'Correct the audit configuration (docs/audit.md)',
    cause,
  });
}
