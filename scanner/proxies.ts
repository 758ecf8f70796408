/** The proxies of the machine that scans, as its environment names them. */
import { Agent, type Dispatcher, EnvHttpProxyAgent } from 'undici';

interface ProxyOptions extends Omit<EnvHttpProxyAgent.Options, 'httpProxy' | 'httpsProxy' | 'noProxy'> {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** One for both schemes, before what the environment names. */
  readonly proxy?: string | null;
  /** Without a proxy alone: behind one, the proxy looks names up. */
  readonly direct?: Agent.Options;
}

/** What requests go through: the proxies that `environment` names, in lower or upper case, or none. */
export function openDispatcher({ environment, proxy, direct, ...options }: ProxyOptions): Dispatcher {
  const variable = (name: string): string | undefined => environment[name] ?? environment[name.toUpperCase()];
  const [http, https] = [proxy ?? variable('http_proxy'), proxy ?? variable('https_proxy')];
  if (!http && !https) return new Agent({ ...options, ...direct });
  return new EnvHttpProxyAgent({
    ...options,
    ...(http ? { httpProxy: http } : {}),
    ...(https ? { httpsProxy: https } : {}),
    noProxy: variable('no_proxy') ?? '',
  });
}
