/** Pages that need no caller: whether it lives, whether it is ready, what it counted, where clients get tokens. */
import type { Metadata } from '../identity/metadata.ts';
import { isLoopbackAddress } from '../identity/url.ts';
import type { Health } from '../telemetry/health.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Plain } from './ports.ts';

export interface PlainOptions {
  readonly metadata: Metadata | null;
  readonly health: Pick<Health, 'live' | 'ready'>;
  readonly metrics: Pick<Metrics, 'text'>;
  /** Metrics name servers and tools: they are not for everyone unless somebody says so. */
  readonly metricsFor: 'this machine' | 'everyone';
}

export function plainPages({
  metadata,
  health,
  metrics,
  metricsFor,
}: PlainOptions): (path: string, from: string | undefined) => Plain | null {
  const json = (status: number, value: object): Plain => ({
    status,
    type: 'application/json',
    body: `${JSON.stringify(value)}\n`,
  });
  return (path, from) => {
    if (path === '/healthz') return json(200, health.live());
    if (path === '/readyz') {
      const ready = health.ready();
      return json(ready.ok ? 200 : 503, ready);
    }
    if (path === '/metrics' && (metricsFor === 'everyone' || isLoopbackAddress(from)))
      return { status: 200, type: 'text/plain; version=0.0.4', body: metrics.text() };
    const found = metadata?.find(path);
    return found ? { status: 200, type: 'application/json', body: found.toString('utf8') } : null;
  };
}
