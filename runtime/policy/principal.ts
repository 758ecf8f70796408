/** Who a caller is to a policy. */
import type { Caller } from '../gate/caller.ts';
import type { Uid } from './cedar.ts';
import type { CompiledPolicy } from './compile.ts';

export interface Principal {
  readonly uid: Uid;
  readonly vouched: boolean;
  /** Declared teams that it belongs to, sorted. */
  readonly teams: readonly string[];
  /** Tells it from every other; the text of a JSON array. */
  readonly key: string;
}

/** Under one policy. */
export class Principals {
  readonly #teams: CompiledPolicy['teams'];
  /** A caller is proved once and never changes. */
  readonly #known = new WeakMap<Caller, Principal>();

  constructor(teams: CompiledPolicy['teams']) {
    this.#teams = teams;
  }

  of(caller: Caller): Principal {
    const known = this.#known.get(caller);
    if (known) return known;
    const made = this.#make(caller);
    this.#known.set(caller, made);
    return made;
  }

  /** A team counts where the policy declares it: by its members, or by whoever vouches where it says so. */
  #make({ user, teams, via }: Caller): Principal {
    const vouched = via !== 'nobody';
    const own = [...this.#teams].filter(
      ([name, { members, asSignedIn }]) =>
        members.has(user) || (asSignedIn && vouched && teams.includes(name)),
    );
    const names = own.map(([name]) => name).sort();
    const key = JSON.stringify([user, vouched, names]);
    return { uid: { type: 'User', id: user }, vouched, teams: names, key };
  }
}
