/** The door to all locked servers as one. */
import type { LockkeeperError } from '../../../schemas/errors.ts';
import type { Era, Surface } from '../../../schemas/surface.ts';
import type { Journal } from '../../journal/journal.ts';
import type { Door } from '../ports.ts';
import { All } from './all.ts';
import { helloOfAll } from './merged.ts';
import { Names } from './names.ts';

export interface AllDoorOptions {
  /** By alias; the very doors that lead to one server each. */
  readonly doors: ReadonlyMap<string, Door>;
  readonly surfaces: ReadonlyMap<string, Surface>;
  /** Locked servers that are refused, by alias: their names are refused in the same words. */
  readonly refused: ReadonlyMap<string, LockkeeperError>;
  readonly journal: Journal;
  readonly askMs?: number;
}

/** The eras that every one of them speaks. Throws NAME_AMBIGUOUS. */
export function allDoor({ doors, surfaces, refused, journal, askMs }: AllDoorOptions): {
  readonly door: Door;
  /** Addresses that are not served here because several servers have them. */
  readonly ambiguous: readonly string[];
} {
  const names = new Names(surfaces);
  const hello = helloOfAll(surfaces);
  const eras = (['session', 'stateless'] as const).filter((era: Era) =>
    [...doors.values()].every((door) => door.eras.includes(era)),
  );
  const door: Door = {
    alias: null,
    eras,
    mirrored: (tool) => {
      try {
        const { alias, name } = names.owner('tools', tool);
        return doors.get(alias)?.mirrored(name) ?? [];
      } catch {
        return [];
      }
    },
    open: (visit, port) => {
      const { servers } = visit.who;
      const reached = new Map([...doors].filter(([alias]) => servers === null || servers.includes(alias)));
      const seen = new Map([...surfaces].filter(([alias]) => reached.has(alias)));
      const own = reached.size === doors.size ? hello : helloOfAll(seen);
      const closed = new Map([...refused].filter(([alias]) => servers === null || servers.includes(alias)));
      return new All({ doors: reached, names, hello: own, eras, closed, journal, askMs }, visit, port);
    },
  };
  return { door, ambiguous: names.ambiguous };
}
