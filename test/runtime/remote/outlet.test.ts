import { describe, expect, it } from 'vitest';
import { headerValue, messageHeaders } from '../../../runtime/remote/headers.ts';
import { answerOf } from '../../../runtime/remote/outlet.ts';

const of = (value: unknown): string | null =>
  answerOf(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));

describe('what a line answers', () => {
  it.each<[string, unknown, string | null]>([
    ['a result', { jsonrpc: '2.0', id: 7, result: {} }, 'n7'],
    ['a result, its id last', { result: { id: 3, jsonrpc: '2.0' }, jsonrpc: '2.0', id: 7 }, 'n7'],
    ['an error', { jsonrpc: '2.0', id: 'a', error: { code: 1, message: 'x' } }, 'sa'],
    ['an error, its id last', { error: { code: 1, message: 'x' }, jsonrpc: '2.0', id: 'a' }, 'sa'],
    ['an id with a quote', { jsonrpc: '2.0', id: 'a"b', result: {} }, 'sa"b'],
    ['an id beyond ASCII', { jsonrpc: '2.0', id: 'é', result: {} }, 'sé'],
    ['an id like a number', { jsonrpc: '2.0', id: '7', result: {} }, 's7'],
    ['spaces', '{ "jsonrpc" : "2.0" , "id" : 7 , "result" : {} }', 'n7'],
    ['another order', { id: 7, jsonrpc: '2.0', result: {} }, 'n7'],
    [
      'an id inside of the result',
      { jsonrpc: '2.0', result: { x: '","jsonrpc":"2.0","id":9}' }, id: 7 },
      'n7',
    ],
    ['a long result', { jsonrpc: '2.0', id: 7, result: { text: 'x'.repeat(2_000_000) } }, 'n7'],
    ['a long result, its id last', { result: { text: 'x'.repeat(2_000_000) }, jsonrpc: '2.0', id: 7 }, 'n7'],
    ['a request', { jsonrpc: '2.0', id: 7, method: 'ping' }, null],
    ['a notice', { jsonrpc: '2.0', method: 'x', params: { id: 7, result: 1 } }, null],
    ['an error about nothing', { jsonrpc: '2.0', id: null, error: {} }, null],
    ['a batch', [{ jsonrpc: '2.0', id: 7, result: {} }], null],
    ['no JSON', '{"jsonrpc":"2.0","id":7,', null],
    ['null', 'null', null],
  ])('is seen: %s', (_, line, expected) => {
    expect(of(line)).toBe(expected);
  });
});

describe('a value in a header', () => {
  it.each([
    ['us-west1', 'us-west1'],
    ['two words', 'two words'],
    ['', '=?base64??='],
    [' padded ', '=?base64?IHBhZGRlZCA=?='],
    ['Hello, 世界', '=?base64?SGVsbG8sIOS4lueVjA==?='],
    ['line1\nline2', '=?base64?bGluZTEKbGluZTI=?='],
    ['x\r\nevil: 1', '=?base64?eA0KZXZpbDogMQ==?='],
    ['=?base64?eA==?=', '=?base64?PT9iYXNlNjQ/ZUE9PT89?='],
  ])('%j is written so that it cannot be misread', (value, written) => {
    expect(headerValue(value)).toBe(written);
  });

  const tools = {
    query: {
      name: 'query',
      inputSchema: {
        type: 'object',
        properties: {
          region: { type: 'string', 'x-mcp-header': 'Region' },
          deep: { type: 'object', properties: { dry: { type: 'boolean', 'x-mcp-header': 'Dry' } } },
          count: { type: 'integer', 'x-mcp-header': 'Count' },
          evil: { type: 'string', 'x-mcp-header': 'a: b\r\nx' },
          plain: { type: 'string' },
        },
      },
    },
  };

  it('repeats what the locked schema marks, and nothing else', () => {
    const args = { region: 'eu', deep: { dry: true }, count: 3, evil: 'x', plain: 'y', more: 'z' };
    expect(messageHeaders('tools/call', { name: 'query', arguments: args }, tools)).toEqual({
      'mcp-method': 'tools/call',
      'mcp-name': 'query',
      'mcp-param-region': 'eu',
      'mcp-param-dry': 'true',
      'mcp-param-count': '3',
    });
  });

  it.each<[string, object, object]>([
    ['prompts/get', { name: 'p' }, { 'mcp-name': 'p' }],
    ['resources/read', { uri: 'file:///é' }, { 'mcp-name': '=?base64?ZmlsZTovLy/DqQ==?=' }],
    ['tools/list', { name: 'not a name' }, {}],
    ['tools/call', { name: 'unknown', arguments: { region: 'eu' } }, { 'mcp-name': 'unknown' }],
    ['tools/call', { name: 'query', arguments: { region: 7.5, count: null } }, { 'mcp-name': 'query' }],
    ['tools/call', { name: 'constructor', arguments: {} }, { 'mcp-name': 'constructor' }],
  ])('of %s %j', (method, params, more) => {
    expect(messageHeaders(method, params as never, tools)).toEqual({ 'mcp-method': method, ...more });
  });
});
