/** The shapes of the /v1 API; its routes are in `routes.ts`. */
import { Approval } from './approval.ts';
import { AuditRecord } from './audit.ts';
import { Closed, Digest, Instant, Person } from './common.ts';
import { Envelope } from './dsse.ts';
import { Intent } from './intent.ts';
import { LockFile, MAX_POLICY_BYTES } from './lock.ts';
import { Policy } from './policy.ts';
import { Release, ReleaseState } from './release.ts';
import { type Static, Type } from './type.ts';

export const RoleName = Type.Union([
  Type.Literal('admin'),
  Type.Literal('reviewer'),
  Type.Literal('publisher'),
  Type.Literal('developer'),
  Type.Literal('auditor'),
  Type.Literal('runtime'),
]);
export type RoleName = Static<typeof RoleName>;

export const Roles = Type.Array(RoleName, { minItems: 1, maxItems: 6, uniqueItems: true });
const Reason = Type.String({ minLength: 3, maxLength: 1000 });

/** POST /v1/sign-in (anonymous). */
export const SignInBody = Closed({ code: Type.String({ minLength: 1, maxLength: 200 }) });
export const TokenView = Closed({
  token: Type.String({ description: 'shown once; stored hashed' }),
  person: Person,
  roles: Roles,
  expires: Instant,
});
export type TokenView = Static<typeof TokenView>;

/** POST /v1/bundles (publisher, admin): a bundle that a submission will name. */
export const Stored = Closed({ digest: Digest, size: Type.Integer({ minimum: 1 }) });

/** GET /v1/me */
export const Me = Closed({ person: Person, roles: Roles, expires: Instant });
export type Me = Static<typeof Me>;

/** POST /v1/people (admin): makes or changes a person; answers with a one-time sign-in code. */
export const PersonBody = Closed({ person: Person, roles: Roles });
export const PersonView = Closed({
  person: Person,
  roles: Roles,
  code: Type.String(),
  codeExpires: Instant,
  /** Approved releases that this person's approval no longer counts for. */
  voided: Type.Integer({ minimum: 0 }),
  rootPending: Type.Boolean(),
});
export type PersonView = Static<typeof PersonView>;

/** GET /v1/people (admin) */
export const PeopleList = Closed({
  people: Type.Array(
    Closed({
      person: Person,
      roles: Roles,
      /** When the identity provider last vouched for them; null: not yet. Absent for those who use one-time codes. */
      seen: Type.Optional(Type.Union([Type.Null(), Instant])),
    }),
  ),
});

/** POST /v1/people/:person/code (admin): another sign-in code; POST /v1/people/:person/remove (admin). */
export const NothingBody = Closed({});
export const CodeView = Closed({ person: Person, code: Type.String(), codeExpires: Instant });
export const RemovedView = Closed({
  person: Person,
  /** Servers that are without an owner now. */
  orphaned: Type.Array(Type.String()),
  voided: Type.Integer({ minimum: 0 }),
  /** The root still names their keys, and only its holders can take them out. */
  rootPending: Type.Boolean(),
});

/** POST /v1/tokens: a token for the caller with some of their roles; hours up to 2160. */
export const TokenBody = Closed({ roles: Roles, hours: Type.Integer({ minimum: 1, maximum: 2160 }) });

/** GET /v1/releases?state=&name=&limit=&before= */
export const ReleaseQuery = Closed({
  state: Type.Optional(ReleaseState),
  name: Type.Optional(Type.String({ maxLength: 200 })),
  version: Type.Optional(Type.String({ maxLength: 255 })),
  limit: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,2}$' })),
  before: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,15}$' })),
});
export const ReleaseList = Closed({
  releases: Type.Array(Release),
  next: Type.Union([Type.Null(), Type.Integer()]),
});
export type ReleaseList = Static<typeof ReleaseList>;

export { DiffView } from './diff/view.ts';

/** GET /v1/releases/:id/statement: the exact statement a reviewer would sign, for the caller. */
export const StatementView = Closed({ statement: Approval, missing: Type.Array(Type.String()) });
export type StatementView = Static<typeof StatementView>;

/** POST /v1/releases/:id/approvals */
export const ApprovalBody = Closed({ envelope: Envelope });
export const ApprovalView = Closed({
  approval: Digest,
  state: ReleaseState,
  given: Type.Integer({ minimum: 0 }),
  needed: Type.Integer({ minimum: 1 }),
});
export type ApprovalView = Static<typeof ApprovalView>;
/** POST /v1/releases/:id/{reject,deprecate}; of revoke see schemas/revocation.ts. */
export const ReasonBody = Closed({ reason: Reason });

/** POST /v1/locks: resolves an intent. `previous` is the digest of the lock the project has, or null. */
export const LockBody = Closed({
  intent: Intent,
  previous: Type.Union([Type.Null(), Digest]),
  /** The text of lockkeeper.policy, where the project has one; else whether it may be missed after a lock that has. */
  policy: Type.Optional(Type.String({ maxLength: MAX_POLICY_BYTES })),
  dropPolicy: Type.Optional(Type.Literal(true)),
});
export const LockView = Closed({ file: LockFile, digest: Digest });
export type LockView = Static<typeof LockView>;

/** POST /v1/locks/check: what the registry says today of a lock's releases. */
export const LockCheckBody = Closed({
  audience: Type.String({ maxLength: 128 }),
  version: Type.Integer({ minimum: 1 }),
  digest: Digest,
  releases: Type.Array(Closed({ server: Type.String(), version: Type.String() }), { maxItems: 100_000 }),
});
export const LockCheckView = Closed({
  /** Did this registry sign that version with that digest? */
  known: Type.Boolean(),
  latest: Type.Union([Type.Null(), Closed({ version: Type.Integer(), digest: Digest })]),
  states: Type.Array(
    Closed({ server: Type.String(), version: Type.String(), state: Type.Union([Type.Null(), ReleaseState]) }),
  ),
});
export type LockCheckView = Static<typeof LockCheckView>;

/** POST /v1/audit (runtime): records in order; deduplicated by (runtime, seq). */
export const AuditBatch = Closed({ records: Type.Array(AuditRecord, { minItems: 1, maxItems: 1000 }) });
export const AuditAck = Closed({ stored: Type.Integer({ minimum: 0 }), upTo: Type.Integer({ minimum: 0 }) });
export type AuditAck = Static<typeof AuditAck>;

/** GET /v1/audit?server=&tool=&user=&since=&until=&kind=&limit= newest first. */
export const AuditQuery = Closed({
  server: Type.Optional(Type.String({ maxLength: 200 })),
  tool: Type.Optional(Type.String({ maxLength: 200 })),
  user: Type.Optional(Type.String({ maxLength: 64 })),
  kind: Type.Optional(Type.String({ maxLength: 40 })),
  since: Type.Optional(Instant),
  until: Type.Optional(Instant),
  limit: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,3}$' })),
});
export type AuditQuery = Static<typeof AuditQuery>;
export const AuditList = Closed({ records: Type.Array(AuditRecord) });
export type AuditList = Static<typeof AuditList>;

/** GET /v1/policy */
export const PolicyView = Policy;

/** GET /v1/health (anonymous) */
export const Health = Closed({
  ok: Type.Boolean(),
  version: Type.String(),
  database: Type.String(),
  trial: Type.Boolean(),
  jobs: Closed({ waiting: Type.Integer({ minimum: 0 }), failed: Type.Integer({ minimum: 0 }) }),
});
export type Health = Static<typeof Health>;

export { pathOf, ROUTES, type Route, type RouteName } from './routes.ts';
