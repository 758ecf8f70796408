/** What a dashboard on a reviewer's own machine offers its page, beside the registry's API. */
import { CallAskBody } from './call.ts';
import { Closed, KeyId, Person } from './common.ts';
import { type Static, Type } from './type.ts';

/** GET /local. Without a key it can only be looked at. */
export const LocalView = Closed({
  registry: Type.String(),
  person: Person,
  keyid: Type.Union([Type.Null(), KeyId]),
});
export type LocalView = Static<typeof LocalView>;

/** POST /local/calls: signs the approval of exactly the call that the page showed. */
export const CallShown = CallAskBody;
export type CallShown = Static<typeof CallShown>;
