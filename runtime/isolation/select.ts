/** Which driver this machine has: the first that really works. */
import { LockkeeperError } from '../../schemas/errors.ts';
import type { DriverName, IsolationDriver } from '../ports.ts';
import { bubblewrap } from './bubblewrap.ts';
import { container } from './container.ts';

export interface SelectOptions {
  readonly nodePath: string;
  /** Only this driver. */
  readonly only?: DriverName;
}

/** Every way to isolate that there is, the preferred first. gVisor comes last: it is for those who ask for it. */
export function allDrivers(nodePath: string): IsolationDriver[] {
  return [
    bubblewrap({ nodePath }),
    container({ engine: 'podman', nodePath }),
    container({ engine: 'docker', nodePath }),
    container({ engine: 'podman', runtime: 'runsc', nodePath }),
    container({ engine: 'docker', runtime: 'runsc', nodePath }),
  ];
}

/** The first driver that works. Throws ISOLATION_MISSING naming why each does not. */
export async function selectDriver({
  nodePath,
  only,
}: SelectOptions): Promise<{ driver: IsolationDriver; version: string }> {
  const drivers = allDrivers(nodePath).filter(({ name }) => only === undefined || name === only);
  const reasons: string[] = [];
  for (const driver of drivers) {
    const status = await driver.detect();
    if (status.available) return { driver, version: status.version };
    reasons.push(`${driver.name}: ${status.reason}`);
  }
  throw new LockkeeperError('ISOLATION_MISSING', {
    expected: `one of ${[...new Set(drivers.map(({ name }) => name))].join(', ')} that works`,
    found: reasons.join('; '),
    next: 'Install one, such as: apt-get install bubblewrap',
  });
}
