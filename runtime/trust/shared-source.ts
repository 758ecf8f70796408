/** One subscription for each server, however many listen: past announcements are told to each, new ones to all. */
import type { RevocationSource } from './revocations.ts';

/** Announcements that are kept for those who come later. */
const KEPT = 1000;

interface Channel {
  readonly heard: unknown[];
  readonly takers: Set<(event: unknown) => void>;
}

/** Subscriptions live until `over` aborts. */
export function sharedSource(source: RevocationSource, over: AbortSignal): RevocationSource {
  const channels = new Map<string, Channel>();
  const channelOf = (server: string): Channel => {
    const there = channels.get(server);
    if (there) return there;
    const channel: Channel = { heard: [], takers: new Set() };
    channels.set(server, channel);
    const tell = (event: unknown): void => {
      channel.heard.push(event);
      if (channel.heard.length > KEPT) channel.heard.shift();
      for (const take of [...channel.takers]) take(event);
    };
    source.subscribe(server, tell, over);
    return channel;
  };
  return {
    subscribe: (server, take, signal) => {
      const { heard, takers } = channelOf(server);
      const stop = (): void => void takers.delete(take);
      takers.add(take);
      signal.addEventListener('abort', stop, { once: true });
      for (const event of [...heard]) if (!signal.aborted) take(event);
    },
  };
}
