import { describe, expect, it } from 'vitest';
import { type GateState, judgeToServer } from '../../../runtime/gate/gate.ts';
import { judgeTaskPolicy } from '../../../runtime/gate/permitted.ts';
import { argumentCheck } from '../../../runtime/gate/schema.ts';
import { liveSurface } from '../../../runtime/gate/surface.ts';
import { FlowState } from '../../../runtime/policy/flows.ts';
import { FlowMemories } from '../../../runtime/policy/remembered.ts';
import { gatePolicyOf } from '../../../runtime/policy/session.ts';
import { type Message, parseMessage } from '../../../runtime/wire/message.ts';
import type { Json, JsonObject } from '../../../schemas/common.ts';
import { pinSurface, type Surface } from '../../../schemas/surface.ts';
import { callerOf, sessionPolicy } from '../../helpers/policy.ts';
import { tempDir } from '../../helpers/session.ts';
import { surface as base, makeEntry } from '../../helpers/trust.ts';

const surface: Surface = {
  ...base,
  prompts: { greet: { name: 'greet' } },
  resources: { 'note://here': { name: 'here', uri: 'note://here' } },
  resourceTemplates: {
    'note://{id}': { name: 'note', uriTemplate: 'note://{id}' },
    'note://{+any}': { name: 'any', uriTemplate: 'note://{+any}' },
  },
};
const entry = { ...makeEntry(), surface: pinSurface(surface), approvedBy: ['alice', 'bob'], approvals: [] };

function stateWith(text: string, flow = new FlowState()): GateState {
  const policy = sessionPolicy(text, { entry, surface }, { flow });
  return {
    entry,
    era: 'session',
    live: liveSurface(entry),
    checkArguments: argumentCheck(surface),
    clientCapabilities: {},
    lockExpires: 1000,
    now: () => 999,
    fromClient: new Map(),
    policy: gatePolicyOf(policy, callerOf('erin')),
  };
}

type Call = Extract<Message, { kind: 'request' | 'notification' }>;
const request = (method: string, params: JsonObject = {}): Call =>
  parseMessage(Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }))) as Call;
const CALL = request('tools/call', { name: 'forecast', arguments: { city: 'Berlin' } });
const GET = request('prompts/get', { name: 'greet' });
const READ = request('resources/read', { uri: 'note://here' });
const TEMPLATE = request('resources/read', { uri: 'note://7' });
const SUBSCRIBE = request('resources/subscribe', { uri: 'note://here' });
const LISTEN = request('subscriptions/listen', {
  notifications: { toolsListChanged: true, resourceSubscriptions: ['note://here', 'note://7'] },
});
const PROMPT = request('completion/complete', { ref: { type: 'ref/prompt', name: 'greet' } });
const PAGE = request('completion/complete', { ref: { type: 'ref/resource', uri: 'note://{id}' } });
const LIST = request('tools/list');

const EVERYTHING = 'everyone: everything locked';
const said = (call: Call, text: string): string => {
  const era = call.method === 'subscriptions/listen' ? 'stateless' : 'session';
  const verdict = judgeToServer(call, { ...stateWith(text), era });
  return verdict.allow ? (verdict.ask ? 'ask' : 'allowed') : verdict.error.code;
};

describe('step 7', () => {
  it.each<[string, Call]>([
    ['a call', CALL],
    ['a prompt', GET],
    ['a resource', READ],
    ['a resource of a template', TEMPLATE],
    ['a subscription', SUBSCRIBE],
    ['subscriptions of the stateless era', LISTEN],
    ['completing a prompt', PROMPT],
    ['completing a template', PAGE],
  ])('judges %s: refused without a line, and by the line that is for it', (_, call) => {
    expect(said(call, '')).toBe('POLICY_REFUSED');
    expect(said(call, EVERYTHING)).toBe('allowed');
    expect(said(call, `${EVERYTHING}\neveryone: not the test server`)).toBe('POLICY_REFUSED');
  });

  it.each<[string, Call, string, string]>([
    ['a list is filtered, not refused', LIST, '', 'allowed'],
    ['a tool is no prompt', GET, 'everyone: all locked tools', 'POLICY_REFUSED'],
    [
      'one of several subscriptions',
      LISTEN,
      'everyone: resource note://here of the test server',
      'POLICY_REFUSED',
    ],
    ['a resource that every template allows', TEMPLATE, 'everyone: all resources', 'allowed'],
    [
      'a resource that one of two templates refuses',
      TEMPLATE,
      'everyone: all resources\neveryone: no resource note://{id} of the test server',
      'POLICY_REFUSED',
    ],
    ...[
      'note://her%65',
      'note://HERE',
      'note://here/',
      'note://x/../here',
      'note://here?a',
      'note://her%2565',
    ].map((uri): [string, Call, string, string] => [
      `a listed resource as ${uri}, by what is said of it`,
      request('resources/read', { uri }),
      'everyone: all resources\neveryone: no resource note://here of the test server',
      'POLICY_REFUSED',
    ]),
    ['an argument', CALL, 'everyone: all locked tools, where city is Berlin', 'allowed'],
    ['another argument', CALL, 'everyone: all locked tools, where city is Paris', 'POLICY_REFUSED'],
    ['people', CALL, 'everyone: all locked tools\neveryone: ask one person before all locked tools', 'ask'],
    [
      'people, who are asked about tools alone',
      GET,
      `${EVERYTHING}\n\`\`\`cedar\n@ask("1") forbid (principal, action, resource);\n\`\`\``,
      'POLICY_REFUSED',
    ],
    ['a policy before the locked schema', request('tools/call', { name: 'forecast' }), '', 'POLICY_REFUSED'],
    [
      'a tool that is not locked, before the policy',
      request('tools/call', { name: 'x' }),
      '',
      'TOOL_REFUSED',
    ],
  ])('%s', (_, call, text, expected) => {
    expect(said(call, text)).toBe(expected);
  });

  const who = 'everyone: prompt greet of the test server, where who is ada';
  const note = 'everyone: resource note://{id} of the test server, where uri is "note://7"';
  const not = `${EVERYTHING}\neveryone: not prompt greet of the test server, where who is ada`;
  const prompt = { type: 'ref/prompt', name: 'greet' };
  const page = (uri: string): JsonObject => ({ type: 'ref/resource', uri });
  it.each<[string, JsonObject, string, string]>([
    ['the value that is permitted', { ref: prompt, argument: { name: 'who', value: 'ada' } }, who, 'allowed'],
    ['another value', { ref: prompt, argument: { name: 'who', value: 'eve' } }, who, 'POLICY_REFUSED'],
    ['a part of it', { ref: prompt, argument: { name: 'who', value: 'ad' } }, who, 'POLICY_REFUSED'],
    ['no value', { ref: prompt }, who, 'POLICY_REFUSED'],
    [
      'a value that is no text',
      { ref: prompt, argument: { name: 'who', value: ['eve'] } },
      who,
      'POLICY_REFUSED',
    ],
    ['another argument', { ref: prompt, argument: { name: 'how', value: 'ada' } }, who, 'POLICY_REFUSED'],
    [
      'another argument, beside the permitted one',
      { ref: prompt, argument: { name: 'how', value: '' }, context: { arguments: { who: 'ada' } } },
      who,
      'allowed',
    ],
    [
      'a value in the place of the permitted one',
      { ref: prompt, argument: { name: 'who', value: 'eve' }, context: { arguments: { who: 'ada' } } },
      who,
      'POLICY_REFUSED',
    ],
    ['a refused value', { ref: prompt, argument: { name: 'who', value: 'ada' } }, not, 'POLICY_REFUSED'],
    ['a value left out', { ref: prompt, argument: { name: 'how', value: '' } }, not, 'POLICY_REFUSED'],
    ['one not refused', { ref: prompt, argument: { name: 'who', value: 'eve' } }, not, 'allowed'],
    [
      'the permitted URI',
      { ref: page('note://{id}'), argument: { name: 'id', value: '7' } },
      note,
      'allowed',
    ],
    ['another', { ref: page('note://{id}'), argument: { name: 'id', value: '8' } }, note, 'POLICY_REFUSED'],
    ['half of it', { ref: page('note://{id}') }, note, 'POLICY_REFUSED'],
    [
      'a listed one that is refused by its own name',
      { ref: page('note://{id}'), argument: { name: 'id', value: 'here' } },
      `${EVERYTHING}\neveryone: not resource note://here of the test server`,
      'POLICY_REFUSED',
    ],
    [
      'what is not that yet',
      { ref: page('note://{id}'), argument: { name: 'id', value: 'her' } },
      `${EVERYTHING}\neveryone: not resource note://here of the test server`,
      'allowed',
    ],
    [
      'one that is the same only as it stands',
      { ref: page('note://{+any}'), argument: { name: 'any', value: '//evil' } },
      `${EVERYTHING}\neveryone: not resource note://{+any} of the test server, where uri is "note:////evil"`,
      'POLICY_REFUSED',
    ],
  ])('completes what would be permitted: %s', (_, params, text, expected) => {
    expect(said(request('completion/complete', params), text)).toBe(expected);
  });

  it('says by which policy and rule it decided', () => {
    const state = stateWith('everyone: all locked tools');
    const policy = state.policy?.digest;
    expect(judgeToServer(CALL, state)).toMatchObject({
      allow: true,
      decision: { policy, rule: 'line 1: everyone: all locked tools' },
    });
    const refused = judgeToServer(GET, state);
    expect(refused).toMatchObject({
      allow: false,
      decision: { policy, rule: 'default: no line permits it' },
    });
    expect(refused.allow ? '' : refused.error.message).toContain('ask those who keep lockkeeper.policy');
  });

  it('refuses what carries words to a server after reading, and lets what is fixed pass', () => {
    const flow = new FlowState();
    const state = stateWith(EVERYTHING, flow);
    flow.saw({ untrusted: true, private: true }, { call: 's/1', what: 'web/fetch' });
    for (const call of [CALL, GET, TEMPLATE, PROMPT, PAGE]) {
      const verdict = judgeToServer(call, state);
      expect(verdict).toMatchObject({
        allow: false,
        decision: { rule: 'toxic flows' },
        detail: { read: { untrusted: { call: 's/1' } } },
      });
    }
    const answering = (inputResponses: Json): Call =>
      request('resources/read', { uri: 'note://here', inputResponses });
    for (const call of [READ, SUBSCRIBE, LIST, answering({})])
      expect(judgeToServer(call, state).allow).toBe(true);
    for (const said of [{ q1: { action: 'accept' } }, ['x'], 'x'])
      expect(judgeToServer(answering(said), state)).toMatchObject({
        allow: false,
        decision: { rule: 'toxic flows' },
        detail: { read: { private: { call: 's/1' } } },
      });
    expect(judgeToServer(answering({ q1: {} }), stateWith(EVERYTHING)).allow).toBe(true);
  });

  it('of a moment ago counts for what is sent out now, whichever process it was of', async () => {
    const dir = tempDir();
    const process = (): FlowState => {
      // Looks by itself once in an hour.
      const memories = new FlowMemories({ dir, lookMs: 3_600_000 });
      return new FlowState(memories.of({ user: 'erin', principal: 'p' }, { by: 'person', ms: 3_600_000 }));
    };
    const [here, there] = [process(), process()];
    const state = stateWith(EVERYTHING, here);
    expect(judgeToServer(CALL, state).allow).toBe(true);
    const answering = request('resources/read', { uri: 'note://here', inputResponses: { q1: {} } });
    expect(judgeToServer(answering, state).allow).toBe(true);
    there.keep({ untrusted: true, private: true }, { call: 't/1', what: 'web/fetch' });
    await there.kept;
    for (const call of [answering, CALL])
      expect(judgeToServer(call, state)).toMatchObject({ allow: false, decision: { rule: 'toxic flows' } });
  });

  it('refuses to tell a task more after reading, where its server sends out by another tool', () => {
    const local = { name: 'local', inputSchema: { type: 'object' }, annotations: { openWorldHint: false } };
    const tools = { ...surface.tools, local };
    const both = {
      entry: { ...entry, surface: pinSurface({ ...surface, tools }) },
      surface: { ...surface, tools },
    };
    const flow = new FlowState();
    const policy = gatePolicyOf(sessionPolicy(EVERYTHING, both, { flow }), callerOf('erin'));
    const making = { era: 'session', arguments: {}, bytes: 2, read: flow.read, people: 0 };
    const task = { maker: { target: 'local', making } } as unknown as Parameters<typeof judgeTaskPolicy>[1];
    const error = (method: string): string | undefined =>
      judgeTaskPolicy(method, task, { policy })?.error?.code;
    expect([error('tasks/get'), error('tasks/update')]).toEqual([undefined, undefined]);
    flow.saw({ untrusted: true, private: true }, { call: 's/1', what: 'web/fetch' });
    expect([error('tasks/get'), error('tasks/update')]).toEqual([undefined, 'POLICY_REFUSED']);
  });

  it('fetches what was made before, and says nothing more to it, in a session that has read both since', () => {
    const flow = new FlowState();
    const made = stateWith(EVERYTHING, flow);
    const making = {
      era: 'stateless',
      arguments: { city: 'Berlin' },
      bytes: 1,
      read: flow.read,
      people: 0,
    } as const;
    const pending = { id: 1, method: 'tools/call', rule: {}, call: 's/1', since: 0 };
    const maker = { ...pending, target: 'forecast', making };
    const task = { id: 't', maker, status: 'working', over: false, expires: 1 };
    const methods = new Set(['tasks/get', 'tasks/update', 'tasks/cancel']);
    const tasks = { methods, makes: () => true, of: () => task, hasRoom: () => true };
    const state: GateState = { ...made, era: 'stateless', tasks };
    const _meta = {
      'io.modelcontextprotocol/clientCapabilities': { extensions: { 'io.modelcontextprotocol/tasks': {} } },
    };
    const allowed = (): boolean[] =>
      ['tasks/get', 'tasks/cancel', 'tasks/update'].map(
        (method) => judgeToServer(request(method, { taskId: 't', inputResponses: {}, _meta }), state).allow,
      );
    expect(allowed()).toEqual([true, true, true]);
    flow.saw({ untrusted: true, private: true }, { call: 's/1', what: 'x' });
    expect(allowed()).toEqual([true, true, false]);
    const asking = stateWith(`${EVERYTHING}\neveryone: ask two people before all locked tools\n`);
    const get = request('tasks/get', { taskId: 't', _meta });
    const judged = [0, 1, 2].map((people) => {
      const by = { ...task, maker: { ...maker, making: { ...making, people } } };
      return judgeToServer(get, { ...asking, era: 'stateless', tasks: { ...tasks, of: () => by } });
    });
    expect(judged.map((one) => one.allow && one.ask === undefined)).toEqual([false, false, true]);
  });

  it('refuses to send out after reading, and names the calls that brought it', () => {
    const flow = new FlowState();
    const state = stateWith('everyone: all locked tools', flow);
    flow.saw({ untrusted: true, private: false }, { call: 's/1', what: 'web/fetch' });
    expect(judgeToServer(CALL, state).allow).toBe(true);
    flow.saw({ untrusted: false, private: true }, { call: 's/2', what: 'files/read' });
    const refused = judgeToServer(CALL, state);
    expect(refused).toMatchObject({
      allow: false,
      decision: { rule: 'toxic flows' },
      detail: { read: { untrusted: { call: 's/1' }, private: { call: 's/2' } } },
    });
    const message = refused.allow ? '' : refused.error.message;
    expect(message).toContain('"web/fetch" in call s/1');
    expect(message).toContain('may send out after reading');
  });
});
