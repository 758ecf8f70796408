// Tools of the stateless era, which ask by their result and are called again with the answers.
import { acceptedContent, inputRequired, inputResponse } from '@modelcontextprotocol/server';
import { text } from './content.mjs';

const ask = (message, name, type = 'string') =>
  inputRequired.elicit({
    mode: 'form',
    message,
    requestedSchema: { type: 'object', properties: { [name]: { type } }, required: [name] },
  });
const sample = (words, maxTokens) =>
  inputRequired.createMessage({
    messages: [{ role: 'user', content: { type: 'text', text: words } }],
    maxTokens,
  });
const NAME = 'What is your name?';

/** The text that the client's model gave, or undefined. */
function sampled(ctx, key) {
  const answer = inputResponse(ctx.mcpReq.inputResponses, key);
  if (answer.kind !== 'sampling') return undefined;
  return [answer.result.content].flat().find(({ type }) => type === 'text')?.text ?? '';
}
const accepted = (ctx, key) => acceptedContent(ctx.mcpReq.inputResponses, key);
function roots(ctx, key) {
  const answer = inputResponse(ctx.mcpReq.inputResponses, key);
  return answer.kind === 'roots' ? answer.roots.map(({ uri }) => uri).join(', ') : undefined;
}

function elicitation(_args, ctx) {
  const name = accepted(ctx, 'user_name')?.name;
  if (typeof name === 'string') return text(`Hello, ${name}!`);
  return inputRequired({ inputRequests: { user_name: ask(NAME, 'name') } });
}

function sampling(_args, ctx) {
  const words = sampled(ctx, 'capital_question');
  if (words !== undefined) return text(words);
  return inputRequired({
    inputRequests: { capital_question: sample('What is the capital of France?', 100) },
  });
}

function listRoots(_args, ctx) {
  const known = roots(ctx, 'client_roots');
  if (known !== undefined) return text(`Roots: ${known}`);
  return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
}

/** Asks once and lets go only with the very state that it gave out. */
const withState = (codec) => async (_args, ctx) => {
  const state = ctx.mcpReq.requestState();
  if (state?.asked === 'confirm' && accepted(ctx, 'confirm')) return text('state-ok');
  return inputRequired({
    inputRequests: { confirm: ask('Please confirm', 'ok', 'boolean') },
    requestState: await codec.mint({ asked: 'confirm' }, ctx),
  });
};

const several = (codec) => async (_args, ctx) => {
  const name = accepted(ctx, 'user_name')?.name;
  const greeting = sampled(ctx, 'greeting');
  const known = roots(ctx, 'client_roots');
  if (name !== undefined && greeting !== undefined && known !== undefined)
    return text(`${greeting} ${name}, of ${known}`);
  return inputRequired({
    inputRequests: {
      user_name: ask(NAME, 'name'),
      greeting: sample('Generate a greeting', 50),
      client_roots: inputRequired.listRoots(),
    },
    requestState: await codec.mint({ asked: 'all' }, ctx),
  });
};

const rounds = (codec) => async (_args, ctx) => {
  const state = ctx.mcpReq.requestState();
  const color = accepted(ctx, 'step2')?.color;
  if (state?.step === 2 && color !== undefined) return text(`${state.name} likes ${color}`);
  const name = accepted(ctx, 'step1')?.name;
  const [step, request, payload] =
    state?.step === 1 && name !== undefined
      ? ['step2', ask('Step 2: What is your favorite color?', 'color'), { step: 2, name }]
      : ['step1', ask('Step 1: What is your name?', 'name'), { step: 1 }];
  return inputRequired({
    inputRequests: { [step]: request },
    requestState: await codec.mint(payload, ctx),
  });
};

/** Asks for what the client says that it can do, and for nothing else. */
function capabilities(_args, ctx) {
  if (sampled(ctx, 'greeting') !== undefined || accepted(ctx, 'user_name')) return text('done');
  const declared = ctx.mcpReq.envelope?.['io.modelcontextprotocol/clientCapabilities'] ?? {};
  const inputRequests = {
    ...(declared.sampling ? { greeting: sample('Generate a greeting', 50) } : {}),
    ...(declared.elicitation ? { user_name: ask(NAME, 'name') } : {}),
  };
  return Object.keys(inputRequests).length > 0
    ? inputRequired({ inputRequests })
    : text('a client that cannot be asked');
}

/** The same question in prompts/get. */
export function promptRound(ctx) {
  const context = accepted(ctx, 'user_context')?.context;
  if (typeof context === 'string')
    return { messages: [{ role: 'user', content: { type: 'text', text: `Context: ${context}` } }] };
  return inputRequired({
    inputRequests: { user_context: ask('What context should the prompt use?', 'context') },
  });
}

export const roundTools = (codec) => [
  ['test_input_required_result_elicitation', 'Asks the user in its result', null, elicitation],
  ['test_input_required_result_sampling', "Asks the client's model in its result", null, sampling],
  ['test_missing_capability', 'Refuses a client whose model it cannot ask', null, sampling],
  ['test_input_required_result_list_roots', 'Asks for the roots in its result', null, listRoots],
  ['test_input_required_result_request_state', 'Gives out a state', null, withState(codec)],
  ['test_input_required_result_tampered_state', 'Knows its own state again', null, withState(codec)],
  ['test_input_required_result_multiple_inputs', 'Asks three things at once', null, several(codec)],
  ['test_input_required_result_multi_round', 'Asks twice, one after the other', null, rounds(codec)],
  ['test_input_required_result_capabilities', 'Asks only what the client can do', null, capabilities],
  ['test_streaming_elicitation', 'Asks the user and never by a request of its own', null, elicitation],
];
