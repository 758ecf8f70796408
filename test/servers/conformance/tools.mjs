// Tools that answer by themselves: content of each kind, logging, progress, errors, schemas.
import { PNG, text, WAV, wait } from './content.mjs';

const image = { type: 'image', data: PNG, mimeType: 'image/png' };
const resource = (uri, mimeType, words) => ({ type: 'resource', resource: { uri, mimeType, text: words } });

// Keywords that a hop must not lose on the way.
const RICH = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  $defs: {
    address: {
      $anchor: 'addressDef',
      type: 'object',
      properties: { street: { type: 'string' }, city: { type: 'string' } },
    },
  },
  properties: {
    name: { type: 'string' },
    address: { $ref: '#/$defs/address' },
    contactMethod: { type: 'string', enum: ['phone', 'email'] },
    phone: { type: 'string' },
    email: { type: 'string' },
  },
  allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
  if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: { required: ['phone'] },
  else: { required: ['email'] },
  additionalProperties: false,
};

const HEADERS = {
  type: 'object',
  properties: { region: { type: 'string', 'x-mcp-header': 'Region' }, query: { type: 'string' } },
};

async function logging(_args, ctx) {
  await ctx.mcpReq.log('info', 'Tool execution started');
  await wait(50);
  await ctx.mcpReq.log('info', 'Tool processing data');
  await wait(50);
  await ctx.mcpReq.log('info', 'Tool execution completed');
  return text('logged');
}

async function progress(_args, ctx) {
  const progressToken = ctx.mcpReq._meta?.progressToken;
  for (const done of [0, 50, 100]) {
    if (progressToken !== undefined)
      await ctx.mcpReq.notify({
        method: 'notifications/progress',
        params: { progressToken, progress: done, total: 100, message: `${done} of 100` },
      });
    if (done < 100) await wait(50);
  }
  return text('done');
}

/** Ends the stream of its own call half-way, so that the client has to come back for the answer. */
async function reconnection(_args, ctx) {
  await wait(50);
  ctx.http?.closeSSE?.();
  await wait(100);
  return text('answered after the stream was closed');
}

export const plainTools = (changed) => [
  ['test_simple_text', 'Answers a text', null, () => text('This is a simple text response for testing.')],
  ['test_image_content', 'Answers an image', null, () => ({ content: [image] })],
  [
    'test_audio_content',
    'Answers a sound',
    null,
    () => ({ content: [{ type: 'audio', data: WAV, mimeType: 'audio/wav' }] }),
  ],
  [
    'test_embedded_resource',
    'Answers a resource',
    null,
    () => ({
      content: [resource('test://embedded-resource', 'text/plain', 'This is an embedded resource content.')],
    }),
  ],
  [
    'test_multiple_content_types',
    'Answers several kinds of content',
    null,
    () => ({
      content: [
        { type: 'text', text: 'Multiple content types test:' },
        image,
        resource(
          'test://mixed-content-resource',
          'application/json',
          JSON.stringify({ test: 'data', value: 123 }),
        ),
      ],
    }),
  ],
  ['test_tool_with_logging', 'Logs three times while it works', null, logging],
  ['test_logging_tool', 'Logs, but only to who asked for it', null, logging],
  [
    'test_error_handling',
    'Always fails',
    null,
    () => {
      throw new Error('This tool intentionally returns an error for testing');
    },
  ],
  ['test_tool_with_progress', 'Tells how far it is', null, progress],
  ['test_reconnection', 'Closes its stream before it answers', null, reconnection],
  ['json_schema_2020_12_tool', 'Tool with JSON Schema 2020-12 features', RICH, () => text('matched')],
  ['test_header_param', 'Has a parameter that travels in a header too', HEADERS, () => text('read')],
  ...['tools', 'prompts'].map((list) => [
    `test_trigger_${list.slice(0, -1)}_change`,
    `Says that the list of ${list} changed`,
    null,
    async () => {
      await changed[list]();
      return text('said');
    },
  ]),
];
