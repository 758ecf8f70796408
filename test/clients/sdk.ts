/** A program with an SDK: `sdk.ts v1|v2|v2-auto stdio|http|all TOOL MESSAGE COMMAND…|URL` lists the tools and calls one. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v2 from '@modelcontextprotocol/client';
import { StdioClientTransport as V2Stdio } from '@modelcontextprotocol/client/stdio';
import { Client as V1Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as V1Stdio } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as V1Http } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';

const [mode = '', face, name = '', message = '', ...at] = process.argv.slice(2);
const [command = '', ...args] = at;
const isStdio = face === 'stdio';
const words = { command, args, stderr: 'inherit' } as const;

function versionOf(name: string): string {
  const path = join(import.meta.dirname, '../../node_modules', name, 'package.json');
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

async function callV1(): Promise<unknown> {
  const client = new V1Client({ name: 'sdk-v1', version: versionOf('@modelcontextprotocol/sdk') });
  await client.connect(isStdio ? new V1Stdio(words) : (new V1Http(new URL(command)) as Transport));
  await client.listTools();
  const answer = await client.callTool({ name, arguments: { message } });
  await client.close();
  return answer;
}

async function callV2(): Promise<unknown> {
  const info = { name: `sdk-${mode}`, version: versionOf('@modelcontextprotocol/client') };
  const options = mode === 'v2-auto' ? { versionNegotiation: { mode: 'auto' as const } } : {};
  const client = new v2.Client(info, options);
  await client.connect(isStdio ? new V2Stdio(words) : new v2.StreamableHTTPClientTransport(new URL(command)));
  await client.listTools();
  const answer = await client.callTool({ name, arguments: { message } });
  await client.close();
  return answer;
}

process.stdout.write(`${JSON.stringify(await (mode === 'v1' ? callV1() : callV2()))}\n`);
