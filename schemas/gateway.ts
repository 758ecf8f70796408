/** Configuration of a gateway: where it listens, who may come, and how much at once. What is not named has its default. */
import { Closed } from './common.ts';
import { ContentControls } from './content.ts';
import { IdentityConfig } from './identity.ts';
import { Alias } from './intent.ts';
import { type Static, Type } from './type.ts';
import { UpstreamConfig } from './upstream.ts';

const Path = Type.String({ minLength: 1, maxLength: 1024, description: 'a path, relative to this file' });
const Bound = (minimum: number, maximum: number) => Type.Optional(Type.Integer({ minimum, maximum }));

export const GatewayLimitsConfig = Closed({
  /** Sessions and stateless callers that are remembered at once: in all, and for each caller. */
  sessions: Bound(1, 1_000_000),
  sessionsEach: Bound(1, 1_000_000),
  /** Requests of one caller that may wait for an answer at once. */
  waitingEach: Bound(1, 10_000),
  /** Longest message of a client. */
  messageBytes: Bound(1024, 64 * 1024 * 1024),
  /** A session that nobody used for so long ends. */
  idleMinutes: Bound(1, 10_080),
  /** Servers that run at once, and that start at once. */
  instances: Bound(1, 10_000),
  /** Of these, of one caller. */
  instancesEach: Bound(1, 10_000),
  starting: Bound(1, 100),
  /** A server that nothing needed for so long rests until the next call. */
  restMinutes: Bound(1, 10_080),
  /** A call without an answer or progress for so long is over. */
  callSeconds: Bound(1, 86_400),
});

export const GatewayConfig = Closed({
  lockkeeper: Type.Literal('gateway/v1'),
  listen: Type.Optional(
    Closed({
      host: Type.String({ pattern: '^[A-Za-z0-9.:-]{1,253}$', description: 'an address of this machine' }),
      port: Type.Integer({ minimum: 0, maximum: 65_535 }),
    }),
  ),
  /** Beyond loopback there is TLS: here, or, where this says `elsewhere`, in front of the gateway. */
  tls: Type.Optional(Type.Union([Closed({ cert: Path, key: Path }), Type.Literal('elsewhere')])),
  /** Names that clients call it by, beside those of loopback. */
  hosts: Type.Optional(
    Type.Array(Type.String({ pattern: '^[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?$', description: 'a host name' }), {
      maxItems: 100,
    }),
  ),
  /** Web pages that may call it. */
  origins: Type.Optional(
    Type.Array(Type.String({ pattern: '^https?://[^/]{1,253}$', description: 'an origin' }), {
      maxItems: 100,
    }),
  ),
  /** Who may come; where nothing is said, the person at this machine, over loopback alone. */
  identity: Type.Optional(IdentityConfig),
  /** What is shown to remote servers in the gateway's own name. */
  upstream: Type.Optional(UpstreamConfig),
  /** What of answers is looked at, and what is done about it. */
  content: Type.Optional(ContentControls),
  /** Who may read /metrics: whoever is on this machine, where nothing is said. */
  metrics: Type.Optional(Type.Literal('everyone')),
  limits: Type.Optional(GatewayLimitsConfig),
  /** What is otherwise for single servers, by alias. */
  servers: Type.Optional(
    Type.Record(Alias, Closed({ callSeconds: Bound(1, 86_400) }), { additionalProperties: false }),
  ),
});
export type GatewayConfig = Static<typeof GatewayConfig>;
