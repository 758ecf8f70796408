/** Which driver this machine has: the first that really works. */
import { LockkeeperError } from '../../schemas/errors.ts';
import type { IsolationDriver } from '../ports.ts';
import { bubblewrap } from './bubblewrap.ts';
import { container } from './container.ts';

export interface SelectOptions {
  readonly nodePath: string;
  /** Only this driver. */
  readonly only?: IsolationDriver['name'];
}

/** Tries bubblewrap, Podman, Docker. Throws ISOLATION_MISSING naming why each does not work. */
export async function selectDriver(
  options: SelectOptions,
): Promise<{ driver: IsolationDriver; version: string }> {
  const { nodePath, only } = options;
  const drivers = [
    bubblewrap({ nodePath }),
    container({ engine: 'podman', nodePath }),
    container({ engine: 'docker', nodePath }),
  ];
  const reasons: string[] = [];
  for (const driver of drivers) {
    if (only !== undefined && driver.name !== only) continue;
    const status = await driver.detect();
    if (status.available) return { driver, version: status.version };
    reasons.push(`${driver.name}: ${status.reason}`);
  }
  throw new LockkeeperError('ISOLATION_MISSING', {
    expected: `one of ${drivers.map((driver) => driver.name).join(', ')} that works`,
    found: reasons.join('; '),
    next: 'Install one, such as: apt-get install bubblewrap',
  });
}
