/** Who a caller is to a policy. */
import type { Caller } from '../gate/caller.ts';
import type { Uid } from './cedar.ts';
import type { CompiledPolicy } from './compile.ts';

export interface Principal {
  readonly uid: Uid;
  readonly vouched: boolean;
  /** Declared teams that it belongs to, sorted. */
  readonly teams: readonly string[];
  /** What it is taken for where something is refused: names in whatever size of letters. */
  readonly near: readonly string[];
  /** Tells it from every other; the text of a JSON array. */
  readonly key: string;
}

/** No declared team begins so. */
export const nearTeam = (team: string): string => `~${team}`;
export const nearUser = (user: string): string => `~user ${user.toLowerCase()}`;

export function parentsOf({ teams, near }: Principal): Uid[] {
  return [...teams, ...near].map((id) => ({ type: 'Team', id }));
}

/** Under one policy. */
export class Principals {
  readonly #teams: CompiledPolicy['teams'];
  /** Members by team, in small letters. */
  readonly #small: ReadonlyMap<string, ReadonlySet<string>>;
  /** A caller is proved once and never changes. */
  readonly #known = new WeakMap<Caller, Principal>();

  constructor(teams: CompiledPolicy['teams']) {
    this.#teams = teams;
    this.#small = new Map(
      [...teams].map(([team, { members }]) => [team, new Set([...members].map((one) => one.toLowerCase()))]),
    );
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
    const near = [nearUser(user), ...this.#near({ user, teams, via }).map(nearTeam)];
    const key = JSON.stringify([user, vouched, names, near]);
    return { uid: { type: 'User', id: user }, vouched, teams: names, near, key };
  }

  /** Teams that it may be meant to belong to, as if nobody told large letters from small ones: of whose nobody asks, any. */
  #near({ user, teams, via }: Pick<Caller, 'user' | 'teams' | 'via'>): string[] {
    const name = user.toLowerCase();
    const said = new Set(teams.map((team) => team.toLowerCase()));
    const isUntold = teams.length === 0 && (via === 'sign-in' || via === 'nobody');
    return [...this.#teams]
      .filter(
        ([team, { asSignedIn }]) =>
          this.#small.get(team)?.has(name) || (asSignedIn && (isUntold || said.has(team.toLowerCase()))),
      )
      .map(([team]) => team)
      .sort();
  }
}
