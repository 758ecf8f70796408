/** Telling what runs: to whoever stands at this machine, and to the registry. */
import type { FleetInstance } from '../schemas/fleet.ts';

/** One server that this runtime keeps, whatever processes come and go behind it. */
export interface Instance extends FleetInstance {
  /** Its name in the project. */
  readonly alias: string;
  /** Calls forwarded to it so far. */
  readonly calls: number;
}

export interface FleetReporter {
  /** It is so now. Cheap, never throws: may be called on each change of state and after each call. */
  report(instance: Instance): void;
  /** It is not kept any more. */
  gone(id: string): void;
}
