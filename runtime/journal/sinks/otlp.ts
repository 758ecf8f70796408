/** Records as OpenTelemetry logs: OTLP over HTTP, in JSON. */
import type { AuditRecord } from '../../../schemas/audit.ts';
import { parseStrict } from '../../../schemas/json.ts';
import { VERSION } from '../../../schemas/version.ts';
import { type Level, levelOf, uidOf } from '../formats/facts.ts';
import { type Rendering, render } from '../formats/render.ts';
import { clean, jsonLine } from '../formats/text.ts';
import type { Sink, Taken } from './port.ts';
import { fitting, type PostOptions, poster } from './post.ts';

export interface OtlpOptions extends PostOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly rendering: Rendering;
  readonly now: () => Date;
}

const SEVERITY: Readonly<Record<Level, readonly [number, string]>> = {
  info: [9, 'INFO'],
  notice: [10, 'INFO2'],
  warning: [13, 'WARN'],
  error: [17, 'ERROR'],
};

interface Attribute {
  readonly key: string;
  readonly value: object;
}

export function otlpSink({ headers, rendering, now, ...to }: OtlpOptions): Sink {
  const { post, close } = poster(to);
  return {
    name: to.name,
    deliver: async (records) => {
      const observed = nanos(now());
      const resource = {
        attributes: [
          text('service.name', 'lockkeeper'),
          text('service.version', VERSION),
          text('service.instance.id', records[0]?.body.runtime ?? '-'),
          text('host.name', rendering.host),
        ],
      };
      const scope = { name: 'lockkeeper.audit', version: VERSION };
      const answer = await fitting(rendering, records.length, (fit) => {
        const logRecords = records.map((record) => logRecord(record, fit, observed));
        const body = jsonLine({ resourceLogs: [{ resource, scopeLogs: [{ scope, logRecords }] }] });
        return post(body, { ...headers, 'content-type': 'application/json' });
      });
      return { upTo: records.at(-1)?.seq ?? 0, ...refusedOf(answer) };
    },
    close: async () => close(),
  };
}

function nanos(at: Date): string {
  return `${at.getTime()}000000`;
}

function text(key: string, value: string): Attribute {
  return { key, value: { stringValue: clean(value, 1024) } };
}

function texts(key: string, values: readonly string[]): Attribute {
  const list = values.slice(0, 64).map((value) => ({ stringValue: clean(value, 128) }));
  return { key, value: { arrayValue: { values: list } } };
}

function logRecord(record: AuditRecord, rendering: Rendering, observed: string): object {
  const { body } = record;
  const [severityNumber, severityText] = SEVERITY[levelOf(body)];
  return {
    timeUnixNano: nanos(new Date(body.at)),
    observedTimeUnixNano: observed,
    severityNumber,
    severityText,
    eventName: `lockkeeper.${body.kind}`,
    body: { stringValue: render(record, rendering) },
    attributes: attributesOf(record),
  };
}

function attributesOf(record: AuditRecord): Attribute[] {
  const { seq, body } = record;
  const { subject, caller } = body;
  const named: readonly (readonly [string, string | undefined])[] = [
    ['log.record.uid', uidOf(record)],
    ['user.id', body.user],
    ['session.id', body.session],
    ['mcp.method.name', body.method],
    ['gen_ai.tool.name', body.target],
    ['error.type', body.code],
    ['lockkeeper.kind', body.kind],
    ['lockkeeper.outcome', body.outcome],
    ['lockkeeper.caller.via', caller?.via],
    ['lockkeeper.server', subject?.server],
    ['lockkeeper.version', subject?.version],
    ['lockkeeper.rule', body.decision?.rule],
    ['lockkeeper.call', body.call],
  ];
  return [
    { key: 'lockkeeper.sequence', value: { intValue: String(seq) } },
    ...named.flatMap(([key, value]) => (value === undefined ? [] : [text(key, value)])),
    ...(caller ? [texts('lockkeeper.teams', caller.teams)] : []),
    ...(body.data ? [texts('lockkeeper.data', body.data)] : []),
  ];
}

/** A collector that dropped some of them says how many; asking again would not change that. */
function refusedOf(answer: string): Pick<Taken, 'refused'> {
  let said: unknown;
  try {
    said = parseStrict(answer);
  } catch {
    return {};
  }
  const { partialSuccess } = (said ?? {}) as { partialSuccess?: unknown };
  const { rejectedLogRecords, errorMessage } = (partialSuccess ?? {}) as Record<string, unknown>;
  const count = Number(rejectedLogRecords ?? 0);
  if (!Number.isSafeInteger(count) || count <= 0) return {};
  return { refused: { count, why: clean(String(errorMessage ?? 'no reason'), 500) } };
}
