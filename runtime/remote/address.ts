/** Where a name leads, asked for once for each connection, and whether that is a place to go to. */
import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { RemoteLaunch } from '../../schemas/remote.ts';
import { inTime } from '../deadline.ts';
import { isInside } from '../egress/rules.ts';

const RESOLVE_MS = 10_000;

/** What a private remote may lead to besides the outside: this machine and private networks, never metadata. */
const PRIVATE = new BlockList();
for (const [net, bits] of [
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10],
] as const) {
  PRIVATE.addSubnet(net, bits, 'ipv4');
}
PRIVATE.addAddress('::1', 'ipv6');
PRIVATE.addSubnet('fc00::', 7, 'ipv6');
/** Metadata of clouds that stands in private networks. */
const METADATA = new BlockList();
METADATA.addAddress('100.100.100.200', 'ipv4');
METADATA.addAddress('fd00:ec2::254', 'ipv6');
METADATA.addAddress('fd20:ce::254', 'ipv6');

export type Resolve = (host: string) => Promise<string>;
const resolveHost: Resolve = async (host) => (await lookup(host)).address;

/** The one address to connect to. Throws REMOTE_UNREACHABLE where there is none, EGRESS_REFUSED where it is no place to go. */
export async function addressOf(
  host: string,
  reach: RemoteLaunch['reach'],
  resolve: Resolve = resolveHost,
): Promise<string> {
  const address = await resolved(host, resolve);
  if (mayReach(address, reach)) return address;
  throw new LockkeeperError('EGRESS_REFUSED', {
    expected: `${host} to lead ${reach === 'public' ? 'outside' : 'outside or to a private network'}`,
    found: address,
    next:
      reach === 'public'
        ? 'If it is a server of your own network, publish it with --private'
        : 'Nothing that may be connected to is there',
  });
}

export function mayReach(address: string, reach: RemoteLaunch['reach']): boolean {
  if (!isInside(address)) return true;
  const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
  return (
    reach === 'private' &&
    isIP(address) !== 0 &&
    PRIVATE.check(address, family) &&
    !METADATA.check(address, family)
  );
}

async function resolved(host: string, resolve: Resolve): Promise<string> {
  try {
    const address = await inTime(resolve(host), RESOLVE_MS);
    if (address === undefined) throw new Error(`no answer within ${RESOLVE_MS / 1000} s`);
    return address;
  } catch (cause) {
    throw new LockkeeperError('REMOTE_UNREACHABLE', {
      expected: `the name ${host} to resolve`,
      found: quote(cause instanceof Error ? cause.message : String(cause), 200),
      next: 'Check the network and the name server of this machine',
      cause,
    });
  }
}
