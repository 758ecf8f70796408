/** What comes of asking somebody else over HTTP. */

/** All bytes of a stream of somebody else; null for more than `maxBytes`: then the rest is not read. */
export async function readBounded(
  stream: AsyncIterable<Uint8Array> | null,
  maxBytes: number,
): Promise<Buffer | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream ?? []) {
    size += chunk.length;
    if (size > maxBytes) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Why `fetch` gave no answer: its own message says nothing, the cause behind it does. */
export function whyUnanswered(error: unknown): string {
  const { cause, message } = error as Error;
  return cause instanceof Error ? cause.message : message;
}
