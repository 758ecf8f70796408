/** What a client does in each scenario of the suite, with the SDK as it is: what the referee looks at is what is sent. */
import {
  Client,
  ClientCredentialsProvider,
  type OAuthClientProvider,
  PrivateKeyJwtProvider,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from '@modelcontextprotocol/client';
import { type Desk, deskOf } from '../helpers/people.ts';
import { DOCUMENT } from './person.ts';
import type { Revision } from './suite.ts';

type Arguments = Record<string, unknown>;
type Play = (
  client: Client,
  context: Context,
  attended: <T>(work: () => Promise<T>) => Promise<T>,
) => Promise<unknown>;

/** What a scenario tells its client beforehand. */
export interface Context {
  readonly toolCalls?: readonly { readonly name: string; readonly arguments: Arguments }[];
  readonly client_id?: string;
  readonly client_secret?: string;
  readonly private_key_pem?: string;
  readonly signing_algorithm?: string;
  readonly issuer?: string;
  readonly valid_jwt?: string;
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

const visitAll: Play = async (client, context, attended) => {
  await callAll(client, context, attended);
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

/** Each question again after its person signed in, where it was refused for want of that. */
const withPerson: Play = async (client, _context, attended) => {
  const { tools } = await attended(() => client.listTools());
  for (const { name } of tools) await attended(() => client.callTool({ name, arguments: {} }));
};

/** Those before which a person stands. */
const PERSONAL = [
  'auth/metadata-default',
  'auth/metadata-var1',
  'auth/metadata-var2',
  'auth/metadata-var3',
  'auth/basic-cimd',
  'auth/scope-from-www-authenticate',
  'auth/scope-from-scopes-supported',
  'auth/scope-omitted-when-undefined',
  'auth/scope-step-up',
  'auth/scope-retry-limit',
  'auth/token-endpoint-auth-basic',
  'auth/token-endpoint-auth-post',
  'auth/token-endpoint-auth-none',
  'auth/pre-registration',
  'auth/resource-mismatch',
  'auth/offline-access-scope',
  'auth/offline-access-not-supported',
  'auth/authorization-server-migration',
  'auth/iss-supported',
  'auth/iss-not-advertised',
  'auth/iss-supported-missing',
  'auth/iss-wrong-issuer',
  'auth/iss-unexpected',
  'auth/iss-normalized',
  'auth/metadata-issuer-mismatch',
];

export function isPersonal(scenario: string): boolean {
  return PERSONAL.includes(scenario);
}

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
  'auth/wif-jwt-bearer': callAll,
  ...Object.fromEntries(PERSONAL.map((scenario) => [scenario, withPerson])),
};

export interface Part {
  readonly scenario: string;
  readonly context: Context;
  readonly revision: Revision;
  /** Shows credentials of its own; else whoever stands between does. */
  readonly alone: boolean;
  /** Whether it is worth asking again, where whoever stands between has a person. */
  readonly again?: (() => Promise<boolean>) | undefined;
}

/** How often a person signs in for one thing, whatever they are told. */
export const MOST_SIGN_INS = 2;

/** Plays one scenario against an address, and leaves. */
export async function play(at: string, part: Part): Promise<void> {
  const { scenario, context } = part;
  const act = PLAYS[scenario];
  if (!act) throw new Error(`no play for the scenario ${scenario}`);
  const desk = part.alone && isPersonal(scenario) ? deskFor(scenario, context) : undefined;
  const provider = part.alone ? (desk ?? providerOf(context)) : undefined;
  const open = (): StreamableHTTPClientTransport =>
    new StreamableHTTPClientTransport(new URL(at), provider ? { authProvider: provider } : {});
  let transport = open();
  let count = 0;
  const again = async (error: unknown): Promise<boolean> => {
    if (!desk) return (await part.again?.()) ?? false;
    if (!(error instanceof UnauthorizedError) || count++ === MOST_SIGN_INS) return false;
    await transport.finishAuth(desk.back()?.searchParams ?? new URLSearchParams());
    return true;
  };
  const attended = async <T>(work: () => Promise<T>): Promise<T> => {
    for (;;)
      try {
        return await work();
      } catch (error) {
        if (!(await again(error))) throw error;
      }
  };
  const client = await attended(async () => {
    transport = open();
    const one = clientOf(part.revision);
    await one.connect(transport);
    return one;
  });
  try {
    await act(client, context, attended);
  } finally {
    await client.close();
  }
}

function clientOf(revision: Revision): Client {
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
  return client;
}

/** A way back that nobody listens on: the browser without a face reads it. */
const BACK = 'http://127.0.0.1:7/back';

function deskFor(scenario: string, { client_id, client_secret, issuer }: Context): Desk {
  const known = client_id !== undefined && issuer !== undefined;
  const desk = deskOf('erin', {
    redirect: BACK,
    ...(scenario === 'auth/basic-cimd' ? { document: DOCUMENT } : {}),
    ...(known ? { client: { client_id, issuer, ...(client_secret ? { client_secret } : {}) } } : {}),
  });
  // One scenario moves to another authorization server meanwhile: what was found is not kept.
  const { saveDiscoveryState: _save, discoveryState: _state, ...rest } = desk;
  return rest;
}

function providerOf(context: Context): OAuthClientProvider | undefined {
  const { client_id: clientId, client_secret: clientSecret, private_key_pem: privateKey } = context;
  if (clientId === undefined) return undefined;
  if (context.valid_jwt !== undefined) return new PlatformProvider(clientId, context.valid_jwt);
  if (clientSecret !== undefined) return new ClientCredentialsProvider({ clientId, clientSecret });
  const algorithm = context.signing_algorithm ?? '';
  return new PrivateKeyJwtProvider({ clientId, privateKey: privateKey ?? '', algorithm });
}

/** The SDK has no provider of its own for what a platform says: its grant in the place of another's. */
class PlatformProvider extends ClientCredentialsProvider {
  readonly #assertion: string;

  constructor(clientId: string, assertion: string) {
    super({ clientId, clientSecret: '' });
    this.#assertion = assertion;
  }

  override get clientMetadata(): ClientCredentialsProvider['clientMetadata'] {
    return { ...super.clientMetadata, token_endpoint_auth_method: 'none' };
  }

  override prepareTokenRequest(scope?: string): URLSearchParams {
    const grant = { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: this.#assertion };
    return new URLSearchParams({ ...grant, ...(scope === undefined ? {} : { scope }) });
  }
}
