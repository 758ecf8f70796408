/** How long a runtime keeps its journals, and whom else it tells: the audit configuration of a machine. */
import { Closed } from './common.ts';
import { type Static, Type } from './type.ts';

export const RecordFormat = Type.Union([Type.Literal('native'), Type.Literal('ocsf'), Type.Literal('cef')]);
export type RecordFormat = Static<typeof RecordFormat>;

const Path = Type.String({ pattern: '^/[^\\u0000]{1,1023}$', description: 'an absolute path' });
const Url = Type.String({
  maxLength: 1000,
  pattern: '^(?:https://|http://(?:127\\.0\\.0\\.1|localhost|\\[::1\\])(?::\\d{1,5})?/)[^\\s#]+$',
  description: 'an https:// address; http:// goes to this machine alone',
});

/** Where a secret is; never the secret itself. */
const SecretReference = Type.String({
  maxLength: 1100,
  pattern: '^(?:file:/[^\\u0000]+|env:[A-Za-z_][A-Za-z0-9_]{0,127})$',
  description: 'file:/path or env:NAME, where the secret is',
});

const Format = Type.Optional(RecordFormat);
/** Certificates in PEM that the other side has to be vouched for by, instead of the system's. */
const Ca = Type.Optional(Path);

export const FileSink = Closed({ kind: Type.Literal('file'), path: Path, format: Format });
export type FileSink = Static<typeof FileSink>;

export const SyslogSink = Closed({
  kind: Type.Literal('syslog'),
  host: Type.String({ pattern: '^[A-Za-z0-9.:-]{1,253}$', description: 'a host name or an address' }),
  port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 })),
  ca: Ca,
  /** The name that the receiver's certificate has to carry, where it is not `host`. */
  serverName: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9.-]{1,253}$', description: 'a host name' })),
  /** This side's own certificate and key, for receivers that ask for one. */
  client: Type.Optional(Closed({ certificate: Path, key: SecretReference })),
  /** Private enterprise number of the structured data; unset: the one that is reserved for examples. */
  enterprise: Type.Optional(Type.Integer({ minimum: 1, maximum: 4_294_967_295 })),
  /** Bytes of one message; what is over it is cut. */
  maxBytes: Type.Optional(Type.Integer({ minimum: 4096, maximum: 1_048_576 })),
  format: Format,
});
export type SyslogSink = Static<typeof SyslogSink>;

export const WebhookSink = Closed({
  kind: Type.Literal('webhook'),
  url: Url,
  /** What each delivery is signed with (HMAC-SHA-256). */
  secret: SecretReference,
  ca: Ca,
  format: Format,
});
export type WebhookSink = Static<typeof WebhookSink>;

export const OtlpSink = Closed({
  kind: Type.Literal('otlp'),
  url: Url,
  headers: Type.Optional(
    Type.Record(Type.String({ pattern: '^[a-z0-9-]{1,64}$' }), SecretReference, {
      additionalProperties: false,
    }),
  ),
  ca: Ca,
  format: Format,
});
export type OtlpSink = Static<typeof OtlpSink>;

/** By kind: what is wrong with a sink is said in the words of its own kind. */
export const SINK_KINDS = {
  file: FileSink,
  syslog: SyslogSink,
  webhook: WebhookSink,
  otlp: OtlpSink,
} as const;

export const SinkConfig = Type.Union([FileSink, SyslogSink, WebhookSink, OtlpSink]);
export type SinkConfig = Static<typeof SinkConfig>;

export const RetentionConfig = Closed({
  /** A segment goes when its last record is older. */
  maxDays: Type.Optional(Type.Integer({ minimum: 1, maximum: 36_500 })),
  /** The oldest segments go when a journal is larger. */
  maxMegabytes: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000_000 })),
  /** Segments that a sink has not taken: kept until it has, or deleted with a record of what it missed. */
  unshipped: Type.Optional(Type.Union([Type.Literal('keep'), Type.Literal('delete')])),
});
export type RetentionConfig = Static<typeof RetentionConfig>;

export const AuditConfig = Closed({
  lockkeeper: Type.Literal('audit/v1'),
  segment: Type.Optional(
    Closed({
      maxMegabytes: Type.Optional(Type.Integer({ minimum: 1, maximum: 1024 })),
      maxHours: Type.Optional(Type.Integer({ minimum: 1, maximum: 8760 })),
    }),
  ),
  /** Without it nothing is deleted. */
  retention: Type.Optional(RetentionConfig),
  sinks: Type.Record(Type.String({ pattern: '^(?!registry$)[a-z0-9][a-z0-9-]{0,31}$' }), SinkConfig, {
    additionalProperties: false,
    maxProperties: 16,
  }),
});
export type AuditConfig = Static<typeof AuditConfig>;

/** What holds where nothing is configured: every record is kept, and nobody but the registry is told. */
export const NO_AUDIT_CONFIG: AuditConfig = { lockkeeper: 'audit/v1', sinks: {} };
