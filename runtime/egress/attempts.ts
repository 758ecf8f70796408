/**
 * Attempts that nobody inside tells of. A program may ignore the proxy and need not be a Node that could be made to
 * report it; the kernel counts what had no way out of the sandbox's network all the same (proc_net_snmp: OutNoRoutes).
 */
import { closeSync, openSync, readSync } from 'node:fs';
import type { EgressEvent, SandboxedProcess } from '../ports.ts';

const EVERY_MS = 500;
const BYTES = 16_384;

interface Counted {
  /** Packets and connections of both versions of IP that had no route. */
  readonly routes: number;
  /** Datagrams to a local port where nobody listens: where there is no name server, questions to one. */
  readonly ports: number;
}

/** Looks until the server ends, and once more then. Each time that there were more, they are one event. */
export function watchAttempts(
  { inside, exited }: Pick<SandboxedProcess, 'inside' | 'exited'>,
  onEvent: (event: EgressEvent) => Promise<void>,
): void {
  if (inside === undefined) return;
  const files = ['snmp', 'snmp6'].map((name) => open(`/proc/${inside}/net/${name}`));
  let before: Counted = { routes: 0, ports: 0 };
  let looked = performance.now();
  const look = (): void => {
    const from = looked;
    looked = performance.now();
    const now = countedIn(files.map((file) => (file === null ? '' : textOf(file))));
    const routes = now.routes - before.routes;
    const ports = now.ports - before.ports;
    if (routes <= 0 && ports <= 0) return;
    before = now;
    const told = [
      routes > 0 ? `${routes} that had no way out` : '',
      ports > 0 ? `${ports} to no name server` : '',
    ].filter(Boolean);
    const reason = `counted by the kernel: ${told.join(', ')}`;
    // What cannot be recorded shows with the next call, which is refused for it.
    onEvent({ host: '(not told)', port: 0, via: 'kernel', outcome: 'refused', reason, from }).catch(
      () => undefined,
    );
  };
  const timer = setInterval(look, EVERY_MS).unref();
  // The files stay readable when the last process has gone.
  void exited.then(() => {
    clearInterval(timer);
    look();
    for (const file of files) if (file !== null) closeSync(file);
  });
}

function open(path: string): number | null {
  try {
    return openSync(path, 'r');
  } catch {
    return null;
  }
}

function textOf(file: number): string {
  try {
    const bytes = Buffer.alloc(BYTES);
    return bytes.toString('latin1', 0, readSync(file, bytes, 0, BYTES, 0));
  } catch {
    return '';
  }
}

/** The first file has, for each protocol, a line of names and a line of numbers; the second a name and a number a line. */
function countedIn([first = '', second = '']: readonly string[]): Counted {
  const of = (protocol: string, name: string): number => {
    const [names = [], numbers = []] = [...first.matchAll(new RegExp(`^${protocol}: (.*)$`, 'gm'))].map(
      ([, words = '']) => words.split(' '),
    );
    return Number(numbers[names.indexOf(name)] ?? 0);
  };
  const sixth = Number(/^Ip6OutNoRoutes\s+(\d+)$/m.exec(second)?.[1] ?? 0);
  return { routes: of('Ip', 'OutNoRoutes') + sixth, ports: of('Udp', 'NoPorts') };
}
