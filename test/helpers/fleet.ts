/** One server that some runtime keeps, as it would be reported. */
import type { FleetInstance } from '../../schemas/fleet.ts';
import { digestOf } from '../../schemas/json.ts';

export function fleetInstance(change: Partial<FleetInstance> = {}): FleetInstance {
  return {
    id: 'i-1',
    server: 'acme.tools/weather',
    version: '1.2.3',
    closureDigest: digestOf('closure'),
    state: 'READY',
    since: '2026-11-24T12:00:00.000Z',
    lock: digestOf('lock'),
    lockVersion: 7,
    project: 'acme/app',
    user: 'erin',
    driver: 'bubblewrap',
    ...change,
  };
}
