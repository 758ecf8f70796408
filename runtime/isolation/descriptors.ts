/** What this process was handed by whoever started it, and nobody after it is to have. */
import { closeSync, readdirSync, readFileSync } from 'node:fs';

const CLOSE_ON_EXEC = 0o2000000;

/**
 * Closes every descriptor above stderr that a started server would inherit: a sandbox does not take away what is open
 * already. Node's own are marked to close by themselves. Does nothing where the kernel does not list them.
 */
export function closeInherited(): void {
  for (const name of listed()) {
    const fd = Number(name);
    if (fd <= 2) continue;
    try {
      const [, flags = ''] =
        /^flags:\s+([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')) ?? [];
      if ((Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0) closeSync(fd);
    } catch {
      // it is closed by now, as the one that listed them is
    }
  }
}

function listed(): string[] {
  try {
    return readdirSync('/proc/self/fd');
  } catch {
    return [];
  }
}
