/** Where a server of ours listens, as a person says it. */
import { LockkeeperError, quote } from '../schemas/errors.ts';

export interface ListenAt {
  readonly host: string;
  readonly port: number;
}

/** Of HOST:PORT or [V6]:PORT; port 0 takes a free one. Throws USAGE. */
export function listenAt(given: string, verb: string): ListenAt {
  const [, v6, host = v6, port = ''] =
    /^(?:\[([0-9a-fA-F:]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(given) ?? [];
  if (host !== undefined && Number(port) <= 65_535) return { host, port: Number(port) };
  throw new LockkeeperError('USAGE', {
    expected: '--listen HOST:PORT, such as 127.0.0.1:7400',
    found: quote(given),
    next: `See: lk ${verb} --help`,
  });
}
