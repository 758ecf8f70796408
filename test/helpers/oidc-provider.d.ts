/** The few words of `oidc-provider` that the test issuer uses; the package brings no types. */
declare module 'oidc-provider' {
  import type { IncomingMessage, ServerResponse } from 'node:http';

  interface TokenModel {
    readonly clientId?: string;
    readonly extra?: Record<string, unknown>;
    resourceServer?: unknown;
    scope?: string | undefined;
    save(): Promise<string>;
    readonly expiration: number;
  }
  export interface GrantContext {
    body: unknown;
    status: number;
    readonly oidc: {
      readonly params: Record<string, string | undefined>;
      readonly client: { readonly clientId: string };
      entity(name: string, value: unknown): void;
    };
  }
  export class Provider {
    constructor(issuer: string, configuration: Record<string, unknown>);
    readonly ClientCredentials: new (
      fields: Record<string, unknown>,
    ) => TokenModel;
    callback(): (request: IncomingMessage, response: ServerResponse) => void;
    registerGrantType(
      name: string,
      handler: (ctx: GrantContext) => Promise<void>,
      parameters: readonly string[],
    ): void;
  }
}
