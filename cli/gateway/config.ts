/** The gateway's configuration: a file beside lockkeeper.json, or what stands for it where there is none. */
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { INSTANCE_LIMITS, type InstanceLimits } from '../../runtime/gateway/instances.ts';
import type { GatewayOptions } from '../../runtime/gateway/ports.ts';
import { type GatewayLimits, LIMITS } from '../../runtime/gateway/ports.ts';
import { isLoopbackName } from '../../runtime/identity/url.ts';
import { CALL_MS } from '../../runtime/session/overdue.ts';
import { readIfThere } from '../../runtime/store/there.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { GatewayConfig } from '../../schemas/gateway.ts';
import { parseStrict } from '../../schemas/json.ts';
import { assertValid } from '../../schemas/validate.ts';

export const GATEWAY_FILE = 'lockkeeper.gateway.json';
const LISTEN = { host: '127.0.0.1', port: 7413 };
const MINUTE_MS = 60_000;

export interface OpenedConfig {
  readonly config: GatewayConfig;
  /** What its paths are relative to. */
  readonly dir: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly limits: GatewayLimits;
  readonly instances: InstanceLimits;
  readonly restMs: number;
  /** How long a call of this server may go without an answer or progress, ms. */
  callMs(alias: string): number;
}

/** Throws CONFIG_INVALID: a file that was named and is not there, or holds what is not understood, starts nothing. */
export async function readGatewayConfig(
  projectDir: string,
  named: string | undefined,
  listen: { readonly host: string; readonly port: number } | null,
): Promise<OpenedConfig> {
  const path = resolve(projectDir, named ?? GATEWAY_FILE);
  const text = await readIfThere(path);
  if (text === null && named !== undefined) throw invalid(path, 'no such file');
  const config: GatewayConfig = text === null ? { lockkeeper: 'gateway/v1' } : parsed(text, path);
  const opened = { config, dir: dirname(path), listen: listen ?? config.listen ?? LISTEN };
  assertPrivate(opened);
  const { idleMinutes, instances, instancesEach, starting, ...more } = config.limits ?? {};
  const { restMinutes = 5, callSeconds = CALL_MS / 1000, ...limits } = more;
  const idle = idleMinutes === undefined ? {} : { idleMs: idleMinutes * MINUTE_MS };
  return {
    ...opened,
    limits: { ...LIMITS, ...limits, ...idle },
    instances: instanceLimits({ instances, instancesEach, starting }),
    restMs: restMinutes * MINUTE_MS,
    callMs: (alias) => (config.servers?.[alias]?.callSeconds ?? callSeconds) * 1000,
  };
}

/** Throws CONFIG_INVALID where it speaks of a server that is not locked: the limit that was meant would not hold. */
export function assertLocked({ config }: Pick<OpenedConfig, 'config'>, aliases: readonly string[]): void {
  const unknown = Object.keys(config.servers ?? {}).find((alias) => !aliases.includes(alias));
  if (unknown === undefined) return;
  throw new LockkeeperError('CONFIG_INVALID', {
    expected: `under servers, the locked servers ${aliases.join(', ')} alone`,
    found: unknown,
    next: 'Correct the configuration of the gateway',
  });
}

/** Where nothing is said of each caller, a quarter is left to the others. */
function instanceLimits({
  instances: running = INSTANCE_LIMITS.running,
  instancesEach: runningEach = Math.ceil((running * 3) / 4),
  starting = INSTANCE_LIMITS.starting,
}: Readonly<Record<'instances' | 'instancesEach' | 'starting', number | undefined>>): InstanceLimits {
  return { ...INSTANCE_LIMITS, running, runningEach, starting };
}

/** The files that TLS is made of; undefined where there is none here. */
export async function tlsOf({ config, dir }: OpenedConfig): Promise<GatewayOptions['tls']> {
  const { tls } = config;
  if (tls === undefined || tls === 'elsewhere') return undefined;
  const [cert, key] = await Promise.all([tls.cert, tls.key].map((path) => readFile(join(dir, path))));
  return cert && key ? { cert, key } : undefined;
}

function parsed(text: Buffer, path: string): GatewayConfig {
  try {
    return assertValid(GatewayConfig, parseStrict(text), path, 'CONFIG_INVALID');
  } catch (cause) {
    if (cause instanceof LockkeeperError && cause.code === 'CONFIG_INVALID') throw cause;
    throw invalid(path, cause instanceof LockkeeperError ? cause.found : String(cause), cause);
  }
}

/** Credentials cross no network in the clear, and nobody is let in unproved from elsewhere. */
function assertPrivate({ config, listen }: Pick<OpenedConfig, 'config' | 'listen'>): void {
  if (isLoopbackName(listen.host.includes(':') ? `[${listen.host}]` : listen.host)) return;
  if (config.identity === undefined || config.identity.nobody !== undefined) {
    throw new LockkeeperError('CONFIG_INVALID', {
      expected: 'identity with tokens, jwt or certificates, for a gateway that others can reach',
      found: `an address beyond loopback, ${listen.host}, and nobody who has to prove anything`,
      next: 'Configure identity (docs/identity.md), or listen on 127.0.0.1',
    });
  }
  if (config.tls !== undefined) return;
  throw new LockkeeperError('CONFIG_INVALID', {
    expected: 'tls with cert and key, or "elsewhere" where a proxy in front ends it',
    found: `plain HTTP on ${listen.host}, where tokens could be read`,
    next: 'Add tls to the configuration',
  });
}

function invalid(path: string, found: string, cause?: unknown): LockkeeperError {
  return new LockkeeperError('CONFIG_INVALID', {
    expected: `the configuration of the gateway in ${quote(path, 300)}`,
    found,
    next: 'Correct it (docs/gateway.md), or leave --config out for a gateway on this machine alone',
    cause,
  });
}
