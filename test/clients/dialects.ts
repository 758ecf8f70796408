/** Four vendors' APIs, as little of each as a client needs to call one tool and to say what it answered. */
import type { Json, JsonObject } from '../../schemas/common.ts';
import type { Dialect, Turn } from './model.ts';

const USAGE = { input_tokens: 1, output_tokens: 1, total_tokens: 2 };
const ID = 'call_1';

function objects(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Text, or the text of content parts. */
function plain(value: Json | undefined): string {
  if (typeof value === 'string') return value;
  const parts = objects(value).map((part) => part.text);
  return parts.length > 0 ? parts.join('') : JSON.stringify(value ?? null);
}

const anthropic: Dialect = {
  path: /\/v1\/messages$/,
  tools: ({ tools }) => objects(tools).map(({ name }) => String(name)),
  answered: ({ messages }) => {
    const parts = objects(messages).flatMap(({ content }) => objects(content));
    const last = parts.filter(({ type }) => type === 'tool_result').at(-1);
    return last ? plain(last.content) : null;
  },
  whole: (turn, model) => ({
    ...envelope(model),
    content: [block(turn)],
    stop_reason: 'call' in turn ? 'tool_use' : 'end_turn',
  }),
  events: (turn, model) => {
    const started = 'call' in turn ? { ...block(turn), input: {} } : { type: 'text', text: '' };
    const delta =
      'call' in turn
        ? { type: 'input_json_delta', partial_json: JSON.stringify(turn.call.arguments) }
        : { type: 'text_delta', text: turn.text };
    const stop_reason = 'call' in turn ? 'tool_use' : 'end_turn';
    const told: JsonObject[] = [
      { type: 'message_start', message: { ...envelope(model), content: [], stop_reason: null } },
      { type: 'content_block_start', index: 0, content_block: started },
      { type: 'content_block_delta', index: 0, delta },
      { type: 'content_block_stop', index: 0 },
      { type: 'message_delta', delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: 1 } },
      { type: 'message_stop' },
    ];
    return told.map((event) => [String(event.type), event]);
  },
  streams: (_path, { stream }) => stream === true,
};

function envelope(model: string): JsonObject {
  return { id: 'msg_1', type: 'message', role: 'assistant', model, stop_sequence: null, usage: USAGE };
}

function block(turn: Turn): JsonObject {
  return 'call' in turn
    ? { type: 'tool_use', id: ID, name: turn.call.name, input: turn.call.arguments }
    : { type: 'text', text: turn.text };
}

const responses: Dialect = {
  path: /\/responses$/,
  // A client may offer the tools of a server under one name together.
  tools: ({ tools }) =>
    objects(tools).flatMap(({ name, tools: inner }) =>
      inner ? objects(inner).map((one) => `${name} ${one.name}`) : [String(name)],
    ),
  answered: ({ input }) => {
    const last = objects(input)
      .filter(({ type }) => type === 'function_call_output')
      .at(-1);
    return last ? plain(last.output) : null;
  },
  whole: (turn, model) => response(model, 'completed', [item(turn)]),
  events: (turn, model) => {
    const done = item(turn);
    const told: JsonObject[] = [
      { type: 'response.created', response: response(model, 'in_progress', []) },
      { type: 'response.output_item.added', output_index: 0, item: { ...done, status: 'in_progress' } },
      ...('text' in turn
        ? [{ type: 'response.output_text.delta', output_index: 0, item_id: 'msg_1', delta: turn.text }]
        : []),
      { type: 'response.output_item.done', output_index: 0, item: done },
      { type: 'response.completed', response: response(model, 'completed', [done]) },
    ];
    return told.map((event) => [String(event.type), event]);
  },
  streams: (_path, { stream }) => stream === true,
};

function response(model: string, status: string, output: JsonObject[]): JsonObject {
  return { id: 'resp_1', object: 'response', created_at: 0, model, status, output, usage: USAGE };
}

function item(turn: Turn): JsonObject {
  if ('text' in turn) {
    const content = [{ type: 'output_text', text: turn.text, annotations: [] }];
    return { id: 'msg_1', type: 'message', role: 'assistant', status: 'completed', content };
  }
  const [one = '', two] = turn.call.name.split(' ');
  const named = two === undefined ? { name: one } : { namespace: one, name: two };
  const call = { type: 'function_call', call_id: ID, ...named, status: 'completed' };
  return { id: 'fc_1', ...call, arguments: JSON.stringify(turn.call.arguments) };
}

const chat: Dialect = {
  path: /\/chat\/completions$/,
  tools: ({ tools }) =>
    objects(tools).map((tool) => (isObject(tool.function) ? String(tool.function.name) : '')),
  answered: ({ messages }) => {
    const last = objects(messages)
      .filter(({ role }) => role === 'tool')
      .at(-1);
    return last ? plain(last.content) : null;
  },
  whole: (turn, model) => ({
    ...completion('chat.completion', model),
    choices: [{ index: 0, message: { role: 'assistant', ...said(turn) }, finish_reason: finish(turn) }],
  }),
  events: (turn, model) => {
    const chunk = (delta: JsonObject, finish_reason: string | null): [string, Json] => [
      '',
      { ...completion('chat.completion.chunk', model), choices: [{ index: 0, delta, finish_reason }] },
    ];
    return [chunk({ role: 'assistant', ...said(turn) }, null), chunk({}, finish(turn)), ['', '[DONE]']];
  },
  streams: (_path, { stream }) => stream === true,
};

function completion(object: string, model: string): JsonObject {
  const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
  return { id: 'chatcmpl-1', object, created: 0, model, usage };
}

function said(turn: Turn): JsonObject {
  if ('text' in turn) return { content: turn.text };
  const { name, arguments: given } = turn.call;
  const call = { index: 0, id: ID, type: 'function', function: { name, arguments: JSON.stringify(given) } };
  return { content: null, tool_calls: [call] };
}

function finish(turn: Turn): string {
  return 'call' in turn ? 'tool_calls' : 'stop';
}

const gemini: Dialect = {
  path: /:(?:generateContent|streamGenerateContent)$/,
  tools: ({ tools }) =>
    objects(tools).flatMap(({ functionDeclarations }) =>
      objects(functionDeclarations).map(({ name }) => String(name)),
    ),
  answered: ({ contents }) => {
    const parts = objects(contents).flatMap(({ parts }) => objects(parts));
    const last = parts.filter(({ functionResponse }) => isObject(functionResponse)).at(-1);
    return last ? JSON.stringify(last.functionResponse) : null;
  },
  whole: (turn, model) => content(turn, model),
  events: (turn, model) => [['', content(turn, model)]],
  streams: (path) => path.endsWith(':streamGenerateContent'),
};

function content(turn: Turn, modelVersion: string): JsonObject {
  const part =
    'text' in turn
      ? { text: turn.text }
      : { functionCall: { name: turn.call.name, args: turn.call.arguments } };
  const usageMetadata = { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 };
  const candidates = [{ index: 0, content: { role: 'model', parts: [part] }, finishReason: 'STOP' }];
  return { candidates, usageMetadata, modelVersion };
}

export const ALL: readonly Dialect[] = [anthropic, responses, chat, gemini];
