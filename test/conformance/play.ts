/** What a client does in each scenario of the suite, with the SDK as it is: what the referee looks at is what is sent. */
import {
  Client,
  ClientCredentialsProvider,
  type OAuthClientProvider,
  PrivateKeyJwtProvider,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client';
import type { Revision } from './suite.ts';

type Arguments = Record<string, unknown>;
type Play = (client: Client, context: Context) => Promise<unknown>;

/** What a scenario tells its client beforehand. */
export interface Context {
  readonly toolCalls?: readonly { readonly name: string; readonly arguments: Arguments }[];
  readonly client_id?: string;
  readonly client_secret?: string;
  readonly private_key_pem?: string;
  readonly signing_algorithm?: string;
}

const VALUES: Record<string, unknown> = { string: 'text', number: 5, integer: 5, boolean: true };

/** Arguments that a tool takes, by its schema. */
function fitting(schema: unknown): Arguments {
  const { properties = {} } = schema as { properties?: Record<string, { type?: string }> };
  return Object.fromEntries(
    Object.entries(properties).map(([name, { type = '' }]) => [name, VALUES[type] ?? {}]),
  );
}

/** Calls all that it was shown, at once. What comes of it is the referee's: one scenario answers with what no client takes. */
const callAll: Play = async (client) => {
  const { tools } = await client.listTools();
  const calls = tools.map(({ name, inputSchema }) =>
    client.callTool({ name, arguments: fitting(inputSchema) }),
  );
  return Promise.allSettled(calls);
};

const list: Play = (client) => client.listTools();

const visitAll: Play = async (client, context) => {
  await callAll(client, context);
  await client.listResourceTemplates();
  for (const { uri } of (await client.listResources()).resources) await client.readResource({ uri });
  for (const { name } of (await client.listPrompts()).prompts) await client.getPrompt({ name });
};

const callTold: Play = async (client, { toolCalls = [] }) => {
  await client.listTools();
  for (const call of toolCalls) await client.callTool({ name: call.name, arguments: { ...call.arguments } });
};

const echoSchema: Play = async (client) => {
  const { tools } = await client.listTools();
  const schema = tools.find(({ name }) => name === 'json_schema_2020_12_tool')?.inputSchema;
  return client.callTool({ name: 'json_schema_echo', arguments: { schema } });
};

/** The scenarios that a client plays, and what it does. */
export const PLAYS: Readonly<Record<string, Play>> = {
  initialize: list,
  tools_call: callAll,
  'elicitation-sep1034-client-defaults': callAll,
  'sse-retry': callAll,
  'request-metadata': list,
  'sep-2322-client-request-state': callAll,
  'http-standard-headers': visitAll,
  'http-custom-headers': callTold,
  'http-invalid-tool-headers': callAll,
  'json-schema-ref-no-deref': list,
  'json-schema-2020-12-preservation': echoSchema,
  'auth/client-credentials-basic': callAll,
  'auth/client-credentials-jwt': callAll,
};

export interface Part {
  readonly scenario: string;
  readonly context: Context;
  readonly revision: Revision;
  /** Shows credentials of its own; else whoever stands between does. */
  readonly alone: boolean;
}

/** Plays one scenario against an address, and leaves. */
export async function play(at: string, { scenario, context, revision, alone }: Part): Promise<void> {
  const part = PLAYS[scenario];
  if (!part) throw new Error(`no play for the scenario ${scenario}`);
  const client = new Client(
    { name: 'conformance-client', version: '1.0.0' },
    {
      // What the gateway offers to every server as well.
      capabilities: {
        roots: { listChanged: true },
        sampling: {},
        elicitation: { form: { applyDefaults: true } },
      },
      ...(revision === '2026-07-28' ? { versionNegotiation: { mode: 'auto' } } : {}),
    },
  );
  client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: {} }));
  const authProvider = alone ? providerOf(context) : undefined;
  await client.connect(new StreamableHTTPClientTransport(new URL(at), authProvider ? { authProvider } : {}));
  try {
    await part(client, context);
  } finally {
    await client.close();
  }
}

function providerOf(context: Context): OAuthClientProvider | undefined {
  const { client_id: clientId, client_secret: clientSecret, private_key_pem: privateKey } = context;
  if (clientId === undefined) return undefined;
  if (clientSecret !== undefined) return new ClientCredentialsProvider({ clientId, clientSecret });
  const algorithm = context.signing_algorithm ?? '';
  return new PrivateKeyJwtProvider({ clientId, privateKey: privateKey ?? '', algorithm });
}
