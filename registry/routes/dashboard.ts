/** The dashboard's page and its files. They are the same for everybody: what is secret comes over /v1. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { PAGE_HEADERS, type PageFile, pageFiles } from '../../web/files.ts';
import type { Call, Handlers } from '../app.ts';

export function dashboardRoutes(app: FastifyInstance): Handlers {
  const { page, assets } = pageFiles();
  const send = (reply: FastifyReply, { type, text }: PageFile): string => {
    void reply.type(type).headers(PAGE_HEADERS);
    return text;
  };
  for (const [address, file] of assets) app.get(address, async (_request, reply) => send(reply, file));
  return { dashboard: async ({ reply }: Call) => send(reply, page) };
}
