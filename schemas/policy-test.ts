/** Cases of `lk policy test`: calls, and what a policy is to say of each. */
import { AnyObject, Closed, Instant } from './common.ts';
import { Alias } from './intent.ts';
import { type Static, Type } from './type.ts';

const Name = Type.String({ minLength: 1, maxLength: 200 });

const PolicyCase = Closed({
  /** What it shows, for people; default: the call itself. */
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  /** A person who signed in, or a caller as a face proves it. */
  caller: Type.Union([
    Name,
    Closed({
      user: Name,
      teams: Type.Optional(Type.Array(Name, { maxItems: 100 })),
      via: Type.Optional(
        Type.Union([
          Type.Literal('sign-in'),
          Type.Literal('token'),
          Type.Literal('jwt'),
          Type.Literal('certificate'),
          Type.Literal('nobody'),
        ]),
      ),
    }),
  ]),
  /** Alias in the lock. */
  server: Alias,
  /** Exactly one of these: a name, or a URI. */
  tool: Type.Optional(Type.String({ maxLength: 1024 })),
  prompt: Type.Optional(Type.String({ maxLength: 1024 })),
  resource: Type.Optional(Type.String({ maxLength: 4096 })),
  arguments: Type.Optional(AnyObject),
  /** When the call is made; default: now. */
  at: Type.Optional(Instant),
  /** What its session has read before. */
  read: Type.Optional(
    Type.Array(Type.Union([Type.Literal('untrusted'), Type.Literal('private')]), {
      maxItems: 2,
      uniqueItems: true,
    }),
  ),
  expect: Type.Union([
    Type.Literal('allow'),
    Type.Literal('deny'),
    Type.Literal('ask one person'),
    Type.Literal('ask two people'),
  ]),
});
export type PolicyCase = Static<typeof PolicyCase>;

export const PolicyTest = Closed({
  lockkeeper: Type.Literal('policy-test/v1'),
  cases: Type.Array(PolicyCase, { minItems: 1, maxItems: 10_000 }),
});
export type PolicyTest = Static<typeof PolicyTest>;
