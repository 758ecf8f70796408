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
  /** It is so now, but for its calls. Never throws. */
  report(instance: Omit<Instance, 'calls'>): void;
  /** One more call went to it. Costs next to nothing. */
  called(id: string): void;
  /** It is not kept any more. */
  gone(id: string): void;
}
