// The tasks of the scripted server, in either protocol era. It serves many: `foreign` was made by somebody else.

export const TASKS = {
  tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } },
  extensions: { 'io.modelcontextprotocol/tasks': {} },
};
const META = 'io.modelcontextprotocol/';
const isStateless = ({ _meta }) => _meta?.[`${META}protocolVersion`] !== undefined;

export function scriptedTasks({ send, text }) {
  const tasks = new Map([['foreign', { taskId: 'foreign', status: 'working' }]]);
  const said = new Map();
  const waiting = new Map();
  const resultOf = ({ taskId }) => said.get(taskId) ?? text(`done ${taskId}`);

  /** `make [late] ID [LIFE [STATUS]]`: under the id and for the milliseconds that the call says; late is once it is cancelled. */
  function make({ id, params }, what = params.arguments.what) {
    const [, taskId, life, status = 'working'] = what.split(' ');
    const at = new Date().toISOString();
    const ttl = Number(life ?? 60_000);
    const bounds = isStateless(params) ? { ttlMs: ttl, pollIntervalMs: 100 } : { ttl, pollInterval: 100 };
    const task = { taskId, status, createdAt: at, lastUpdatedAt: at, ...bounds };
    tasks.set(taskId, task);
    send({ id, result: isStateless(params) ? { resultType: 'task', ...task } : { task } });
  }

  /** `ID works|asks|fails|ends [RESULT]`: a result in JSON. `ID says STATE`: what its state has besides, or otherwise. */
  function settle(words) {
    const [, taskId, word, json] = /^(\S+) (\S+) ?(.*)$/.exec(words);
    const task = tasks.get(taskId);
    if (word === 'says') return void Object.assign(task, JSON.parse(json));
    task.status = { works: 'working', asks: 'input_required', fails: 'failed', ends: 'completed' }[word];
    if (json) said.set(taskId, JSON.parse(json));
    if (task.status === 'completed' && waiting.has(taskId)) finish(waiting.get(taskId), task);
  }

  function finish(id, task) {
    const _meta = { [`${META}related-task`]: { taskId: task.taskId } };
    send({ id, result: { ...resultOf(task), _meta } });
  }

  function answer({ id, method, params }) {
    if (method === 'tasks/list') return send({ id, result: { tasks: [...tasks.values()] } });
    const task = tasks.get(params.taskId);
    if (!task) return send({ id, error: { code: -32602, message: 'no such task' } });
    if (method === 'tasks/result')
      return task.status === 'completed' ? finish(id, task) : void waiting.set(task.taskId, id);
    if (method === 'tasks/update') task.status = 'working';
    if (method === 'tasks/cancel') task.status = 'cancelled';
    if (method !== 'tasks/get' && isStateless(params))
      return send({ id, result: { resultType: 'complete' } });
    send({ id, result: isStateless(params) ? { resultType: 'complete', ...stateOf(task) } : task });
  }

  /** In the stateless era the state has inside what it is about. */
  function stateOf(task) {
    if (task.status === 'completed') return { ...task, result: resultOf(task) };
    if (task.status === 'failed') return { ...task, error: { code: -32603, message: 'it broke' } };
    if (task.status !== 'input_required') return task;
    const asked = { method: 'elicitation/create', params: { mode: 'form', message: 'Who?' } };
    return { ...task, inputRequests: { who: asked } };
  }

  return { make, settle, answer };
}
