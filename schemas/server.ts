/** A server name: who answers for it and which package it stands for. */
import { Closed, Person, ServerName } from './common.ts';
import { Submission } from './release.ts';
import { type Static, Type } from './type.ts';

const Team = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$',
  description: 'a team of at most 64 letters, digits, spaces, dots, dashes and underscores',
});

export const Server = Closed({
  name: ServerName,
  owner: Person,
  team: Type.Union([Type.Null(), Team]),
  /** Kind and name without a version, such as npm:weather. */
  package: Type.String(),
  /** Whether the owner left: nothing is published under the name until there is another one. */
  orphaned: Type.Boolean(),
});
export type Server = Static<typeof Server>;

/** GET /v1/servers?name= */
export const ServerQuery = Closed({ name: Type.Optional(Type.String({ maxLength: 200 })) });
export const ServerList = Closed({ servers: Type.Array(Server) });
export type ServerList = Static<typeof ServerList>;

/** POST /v1/servers (the owner, or admin): hands a server over. Without a team it keeps the one it has. */
export const OwnerBody = Closed({ name: ServerName, owner: Person, team: Type.Optional(Team) });

/** POST /v1/releases: the submission, and how it stands to the name. Owner and team are for the first release of a name. */
export const PublishBody = Closed({
  ...Submission.properties,
  owner: Type.Optional(Person),
  team: Type.Optional(Team),
  /** The publisher knows that this server came from another package before. */
  newSource: Type.Optional(Type.Boolean()),
});
export type PublishBody = Static<typeof PublishBody>;
