/** The resolver thread: takes one piece of work, answers once. */
import { parentPort, workerData } from 'node:worker_threads';
import { asLockkeeperError } from '../../schemas/errors.ts';
import type { ResolveAnswer, ResolveWork } from '../tree.ts';
import { resolve } from './resolve.ts';

async function answer(work: ResolveWork): Promise<ResolveAnswer> {
  try {
    return { nodes: await resolve(work) };
  } catch (error) {
    const { code, expected, found, next } = asLockkeeperError(error);
    return { refusal: { code, expected, found, next } };
  }
}

parentPort?.postMessage(await answer(workerData as ResolveWork));
