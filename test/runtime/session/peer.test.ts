import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { openPeer, type PeerHandlers } from '../../../runtime/session/peer.ts';
import type { Message } from '../../../runtime/wire/message.ts';
import type { LockkeeperError } from '../../../schemas/errors.ts';

describe('a message that cannot be handled', () => {
  it('ends the session that it came to, once, and nothing else', async () => {
    const stdout = new PassThrough();
    const process = {
      stdin: new PassThrough(),
      stdout,
      stderr: new PassThrough(),
      exited: new Promise<never>(() => undefined),
    };
    const ends: LockkeeperError[] = [];
    let heard = 0;
    const peer = openPeer(process as never, {
      message: () => {
        heard += 1;
        throw new TypeError('names that are one');
      },
      badLine: () => undefined,
      gone: (error) => ends.push(error),
    });
    const asked = peer.ask('ping', {}, 60_000).catch((error: LockkeeperError) => error);
    const notice = '{"jsonrpc":"2.0","method":"notifications/message","params":{}}\n';
    stdout.write(notice + notice);
    expect(await asked).toMatchObject({ code: 'INTERNAL' });
    expect(ends).toHaveLength(1);
    expect(ends[0]?.message).toContain('names that are one');
    expect(heard).toBe(1);
  });
});

describe('a large line of a server', () => {
  const words = `"x":"${'x'.repeat(300_000)}"`;
  const open = (more: Partial<PeerHandlers> = {}) => {
    const stdout = new PassThrough();
    const exited = new Promise<never>(() => undefined);
    const process = { stdin: new PassThrough(), stdout, stderr: new PassThrough(), exited };
    const [heard, bad, ends]: [string[], string[], string[]] = [[], [], []];
    const peer = openPeer(process as never, {
      message: ({ kind }) => heard.push(kind),
      unread: ({ kind, id }) => heard.push(`${kind} ${id}`),
      badLine: (error) => bad.push(error.message),
      gone: ({ code }) => ends.push(code),
      ...more,
    });
    const line = (text: string): Promise<unknown> =>
      new Promise((resolve) => stdout.write(`${text}\n`, () => setImmediate(resolve)));
    return { peer, line, heard, bad, ends, stdin: process.stdin };
  };
  const answerTo = (id: string): string => `{"jsonrpc":"2.0","id":${id},"result":{${words}}}`;

  it('is handed on unread where it answers the client, however it is written', async () => {
    const { line, heard, bad } = open();
    for (const text of [
      answerTo('1'),
      `{"result":{${words}},"id":"2","jsonrpc":"2.0"}`,
      `{ "id" : 3, "error" : {${words},"code":1}, "jsonrpc" : "2.0" }`,
      `{"jsonrpc":"2.0","id":4,"result":{${words},"x":0}}`,
    ])
      await line(text);
    expect([heard, bad]).toEqual([['unread 1', 'unread 2', 'unread 3', 'unread 4'], []]);
  });

  it('is read where nobody else waits for that', async () => {
    const heard: unknown[] = [];
    const message = (said: Message): void => void heard.push(said.kind);
    const { line } = open({ unread: undefined, message } as unknown as Partial<PeerHandlers>);
    await line(answerTo('1'));
    expect(heard).toEqual(['response']);
  });

  it('answers us or fails us at once, in bounded work', async () => {
    const { peer, line, heard, stdin } = open();
    const ask = async (answer: (id: string) => string): Promise<unknown> => {
      const asked = peer.ask('tools/list', {}, 60_000).then(
        (result) => Object.keys(result),
        (error: LockkeeperError) => error.found,
      );
      const { id } = JSON.parse(String(await once(stdin, 'data'))) as { id: string };
      await line(answer(JSON.stringify(id)));
      return asked;
    };
    expect(await ask(answerTo)).toEqual(['x']);
    const twice = (id: string): string => `{"jsonrpc":"2.0","id":${id},"result":{${words},"x":0}}`;
    expect(await ask(twice)).toContain('twice');
    const many = (id: string): string =>
      `{"jsonrpc":"2.0","id":${id},"result":{"x":[${'[],'.repeat(150_000)}[]]}}`;
    expect(await ask(many)).toBe('more');
    expect(heard).toEqual([]);
  });

  it('that asks or tells is read in bounded work, or not at all', async () => {
    const { line, heard, bad, ends } = open();
    const notice = (params: string): string => `{"jsonrpc":"2.0","method":"x","params":{${params}}}`;
    await line(notice(words));
    await line(notice(`"x":[${'[],'.repeat(150_000)}[]]`));
    await line(notice(`"x":"${'x'.repeat(17 * 1024 * 1024)}"`));
    expect(heard).toEqual(['notification']);
    expect(bad).toEqual([expect.stringContaining('at most 131072 members and items')]);
    expect(ends).toEqual(['RATE_LIMITED']);
  });
});
