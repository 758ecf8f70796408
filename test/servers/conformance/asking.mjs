// Tools of the era of sessions that ask the client something while they run. They ask on the stream of the call
// itself: a client may not have opened another one yet.
import { text } from './content.mjs';

const object = (properties, required) => ({
  type: 'object',
  properties,
  ...(required ? { required } : {}),
});
const words = (name) => object({ [name]: { type: 'string' } }, [name]);
const titled = (titles) => titles.map((title, index) => ({ const: `value${index + 1}`, title }));

const PERSON = object(
  {
    username: { type: 'string', description: "User's response" },
    email: { type: 'string', description: "User's email address" },
  },
  ['username', 'email'],
);
const DEFAULTS = object(
  {
    name: { type: 'string', description: 'A name', default: 'John Doe' },
    age: { type: 'integer', description: 'An age', default: 30 },
    score: { type: 'number', description: 'A score', default: 95.5 },
    status: {
      type: 'string',
      description: 'A status',
      enum: ['active', 'inactive', 'pending'],
      default: 'active',
    },
    verified: { type: 'boolean', description: 'Whether verified', default: true },
  },
  [],
);
const ENUMS = object(
  {
    untitledSingle: { type: 'string', enum: ['option1', 'option2', 'option3'] },
    titledSingle: { type: 'string', oneOf: titled(['First Option', 'Second Option', 'Third Option']) },
    legacyEnum: {
      type: 'string',
      enum: ['opt1', 'opt2', 'opt3'],
      enumNames: ['Option One', 'Option Two', 'Option Three'],
    },
    untitledMulti: { type: 'array', items: { type: 'string', enum: ['option1', 'option2', 'option3'] } },
    titledMulti: {
      type: 'array',
      items: { anyOf: titled(['First Choice', 'Second Choice', 'Third Choice']) },
    },
  },
  [],
);

const elicit = async (ctx, message, requestedSchema) => {
  const { action, content } = await ctx.mcpReq.send({
    method: 'elicitation/create',
    params: { mode: 'form', message, requestedSchema },
  });
  return `action=${action}, content=${JSON.stringify(content ?? {})}`;
};

async function sample({ prompt }, ctx) {
  const { content } = await ctx.mcpReq.send({
    method: 'sampling/createMessage',
    params: { messages: [{ role: 'user', content: { type: 'text', text: prompt } }], maxTokens: 100 },
  });
  return text(`LLM response: ${content.type === 'text' ? content.text : content.type}`);
}

export const askingTools = () => [
  ['test_sampling', "Asks the client's model", words('prompt'), sample],
  [
    'test_elicitation',
    'Asks the user for a name',
    words('message'),
    async ({ message }, ctx) => text(`User response: ${await elicit(ctx, message, PERSON)}`),
  ],
  [
    'test_elicitation_sep1034_defaults',
    'Asks with defaults',
    null,
    async (_args, ctx) =>
      text(`Elicitation completed: ${await elicit(ctx, 'Please look through these values', DEFAULTS)}`),
  ],
  [
    'test_elicitation_sep1330_enums',
    'Asks for choices of every form',
    null,
    async (_args, ctx) => text(`Elicitation completed: ${await elicit(ctx, 'Please choose', ENUMS)}`),
  ],
];
