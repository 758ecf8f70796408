// Prompts, and completion of their arguments.
import { fromJsonSchema } from '@modelcontextprotocol/server';
import { PNG } from './content.mjs';
import { promptRound } from './rounds.mjs';

const user = (...contents) => ({ messages: contents.map((content) => ({ role: 'user', content })) });
const say = (text) => ({ type: 'text', text });
const args = (properties) =>
  fromJsonSchema({
    type: 'object',
    properties: Object.fromEntries(
      Object.entries(properties).map(([name, description]) => [name, { type: 'string', description }]),
    ),
    required: Object.keys(properties),
  });

const FIRST = ['paris', 'park', 'party', 'test'];

export function addPrompts(server) {
  server.registerPrompt('test_simple_prompt', { description: 'A prompt without arguments' }, () =>
    user(say('This is a simple prompt for testing.')),
  );
  server.registerPrompt(
    'test_prompt_with_arguments',
    {
      description: 'A prompt with two arguments',
      argsSchema: args({ arg1: 'First test argument', arg2: 'Second test argument' }),
    },
    ({ arg1, arg2 }) => user(say(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)),
  );
  server.registerPrompt(
    'test_prompt_with_embedded_resource',
    {
      description: 'A prompt that holds a resource',
      argsSchema: args({ resourceUri: 'URI of the resource to embed' }),
    },
    ({ resourceUri }) =>
      user(
        {
          type: 'resource',
          resource: {
            uri: resourceUri,
            mimeType: 'text/plain',
            text: 'Embedded resource content for testing.',
          },
        },
        say('Please process the embedded resource above.'),
      ),
  );
  server.registerPrompt('test_prompt_with_image', { description: 'A prompt that holds an image' }, () =>
    user({ type: 'image', data: PNG, mimeType: 'image/png' }, say('Please analyze the image above.')),
  );
  server.registerPrompt(
    'test_input_required_result_prompt',
    { description: 'A prompt that asks the user first' },
    (ctx) => promptRound(ctx),
  );
  server.server.setRequestHandler('completion/complete', ({ params }) => {
    const values = FIRST.filter((one) => one.startsWith(params.argument.value));
    return { completion: { values, total: values.length, hasMore: false } };
  });
}
