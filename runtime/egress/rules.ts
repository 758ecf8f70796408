/** Which names a server may reach, and which addresses no server ever may. Pure. */
import { BlockList, isIP } from 'node:net';

/**
 * Addresses that are never outside: loopback, private, link-local and the clouds' own (metadata among them), multicast,
 * reserved, for documentation, and the forms that carry an address of version 4 inside.
 */
const INSIDE = new BlockList();
for (const [net, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['168.63.129.16', 32],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const) {
  INSIDE.addSubnet(net, bits, 'ipv4');
}
for (const [net, bits] of [
  ['::', 96],
  ['::ffff:0:0:0', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['2001::', 32],
  ['2001:db8::', 32],
  ['3fff::', 20],
  ['5f00::', 16],
  ['ff00::', 8],
  ['2002::', 16],
] as const) {
  INSIDE.addSubnet(net, bits, 'ipv6');
}

/** A list of addresses takes one of version 4 that is mapped into version 6 for what it is. */
export function isInside(address: string): boolean {
  const family = isIP(address);
  return family === 0 || INSIDE.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

/** Letters, digits and hyphens, as hosts are named (RFC 1123 2.1); underscores are met in practice. */
export function isName(host: string): boolean {
  return host.length <= 253 && /^[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62})*$/.test(host);
}

export function permits(allow: readonly string[], host: string, port: number): boolean {
  return allow.some((entry) => {
    const at = entry.lastIndexOf(':');
    const name = entry.slice(0, at);
    if (Number(entry.slice(at + 1)) !== port) return false;
    return name.startsWith('*.')
      ? host.endsWith(name.slice(1)) && host.length > name.length - 1
      : host === name;
  });
}
