/**
 * All addresses of a name, by our own questions to the machine's name servers: no search list, no hosts file, and no
 * thread that other servers' questions would wait for, however slowly somebody's name server answers.
 */
import { Resolver } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';

/** Each question waits so long, ms, and is asked so often. */
const WAIT_MS = 2000;
const TRIES = 2;

/** Those of version 4 first. Throws when there is none of either. */
export async function resolveHost(host: string): Promise<readonly string[]> {
  const resolver = new Resolver({ timeout: WAIT_MS, tries: TRIES });
  const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  if (found.length === 0) throw new Error(`no address of ${host}`);
  return found;
}

/** Addresses by which this machine itself is reached, from outside too. */
export function ownAddresses(): ReadonlySet<string> {
  return new Set(
    Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address)),
  );
}
