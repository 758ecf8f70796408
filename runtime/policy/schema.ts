/** What policies may speak of, as a Cedar schema: a name that is not here is an error before anything is judged. */
import type { Section } from '../../schemas/surface.ts';

const CONTEXT = `{
    environment: String,
    minute: Long,
    weekday: String,
    day: Long,
    surely: Set<String>,
    maybe: Set<String>,
    readUntrusted: Bool,
    readPrivate: Bool
  }`;

const ITEM = '{ name: String, server: String }';
/** What somebody fills in, and its server hears. */
const FILLED = '{ name: String, server: String, sendsOut: Bool }';

export const CEDAR_SCHEMA = `entity Team;
entity User in [Team] { vouched: Bool };
entity Server;
entity Tool in [Server] {
  name: String,
  server: String,
  readOnly: Bool,
  destructive: Bool,
  openWorld: Bool,
  readsUntrusted: Bool,
  readsPrivate: Bool,
  sendsOut: Bool
};
entity Prompt in [Server] ${FILLED};
entity Resource in [Server] ${ITEM};
entity Template in [Server] ${FILLED};
action call appliesTo { principal: User, resource: Tool, context: ${CONTEXT} };
action get appliesTo { principal: User, resource: Prompt, context: ${CONTEXT} };
action read appliesTo { principal: User, resource: [Resource, Template], context: ${CONTEXT} };
`;

export const ENTITY_OF: Readonly<Record<Section, string>> = {
  tools: 'Tool',
  prompts: 'Prompt',
  resources: 'Resource',
  resourceTemplates: 'Template',
};

export const ACTION_OF: Readonly<Record<Section, string>> = {
  tools: 'call',
  prompts: 'get',
  resources: 'read',
  resourceTemplates: 'read',
};

/** Aliases hold no slash, so that no two items share an id. */
export function itemId(server: string, name: string): string {
  return `${server}/${name}`;
}
