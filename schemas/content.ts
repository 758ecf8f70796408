/** What of the content of answers a runtime looks at, and what it does about it. */
import { Closed, ServerName } from './common.ts';
import { type Static, Type } from './type.ts';

const Rules = {
  /** Bytes of one answer, as it comes. */
  maxResultBytes: Type.Integer({ minimum: 1024, maximum: 32 * 1024 * 1024 }),
  /** Structured content that the locked output schema does not permit. */
  outputSchema: Type.Union([Type.Literal('refuse'), Type.Literal('flag')]),
  /** `hide` puts a keyed hash in the place of each; `block` keeps the whole answer back. */
  secrets: Type.Union([
    Type.Literal('off'),
    Type.Literal('flag'),
    Type.Literal('hide'),
    Type.Literal('block'),
  ]),
  /** Sentences that speak to the model about something else, and text that nobody sees. */
  instructions: Type.Union([Type.Literal('off'), Type.Literal('flag'), Type.Literal('block')]),
};

export const ContentRules = Closed(Rules);
export type ContentRules = Static<typeof ContentRules>;

const Some = Type.Partial(ContentRules, { additionalProperties: false });

/** What is not given is as in `DEFAULT_CONTENT`; what is given for a server wins for that server. */
export const ContentControls = Closed({
  ...Some.properties,
  servers: Type.Optional(Type.Record(ServerName, Some, { additionalProperties: false })),
});
export type ContentControls = Static<typeof ContentControls>;

export const DEFAULT_CONTENT: ContentRules = {
  maxResultBytes: 8 * 1024 * 1024,
  outputSchema: 'refuse',
  secrets: 'flag',
  instructions: 'flag',
};

/** The rules of one server. */
export function contentRules({ servers, ...all }: ContentControls, server: string): ContentRules {
  const own = servers && Object.hasOwn(servers, server) ? servers[server] : {};
  return { ...DEFAULT_CONTENT, ...all, ...own };
}
