/** The suite knows tools and prompts by their own names; among those of all servers they have their server's before them. */
import type { Json, JsonObject } from '../../schemas/common.ts';
import type { Loss } from './hops.ts';

const NAMED: readonly Json[] = ['tools/call', 'prompts/get'];
const CODED = /^=\?base64\?(.*)\?=$/;

/** What asks for `NAME` asks for `ALIAS__NAME`, and what is told of that one is told of the other. */
export function renamed(alias: string): Loss {
  const before = `${alias}__`;
  return {
    headers: (headers) => {
      const name = headers['mcp-name'];
      // Addresses of resources are nobody's name, and a task has its server's before it already.
      const isTask = String(headers['mcp-method']).startsWith('tasks/');
      if (typeof name !== 'string' || name.includes('://') || isTask) return;
      const coded = CODED.exec(name)?.[1];
      headers['mcp-name'] =
        coded === undefined
          ? before + name
          : `=?base64?${Buffer.from(before + Buffer.from(coded, 'base64')).toString('base64')}?=`;
    },
    body: (body) => {
      const message = objectIn(body);
      const params = isObject(message?.params) ? message.params : {};
      const { name, ref } = params;
      if (message && NAMED.includes(message.method ?? null) && typeof name === 'string')
        return JSON.stringify({ ...message, params: { ...params, name: before + name } });
      if (message && isObject(ref) && typeof ref.name === 'string')
        return JSON.stringify({
          ...message,
          params: { ...params, ref: { ...ref, name: before + ref.name } },
        });
      return body;
    },
    text: (text) => text.replaceAll(before, ''),
  };
}

function objectIn(body: string): JsonObject | null {
  try {
    const value = JSON.parse(body) as Json;
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
