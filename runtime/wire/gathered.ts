/** Bytes that come in pieces, held in little more than they are, however small the pieces. */

/** Pieces that are joined as soon as there are so many: a byte that is held alone costs a hundred. */
const TOGETHER = 1024;

/** A piece keeps all of its chunk, or of what the engine cut it from: held alone, a small one is a copy. */
export function owned(piece: Buffer): Buffer {
  if (piece.length * 4 > piece.buffer.byteLength) return piece;
  const copy = Buffer.allocUnsafeSlow(piece.length);
  piece.copy(copy);
  return copy;
}

export class Gathered {
  #joined: Buffer[] = [];
  #pieces: Buffer[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  push(piece: Buffer): void {
    this.#bytes += piece.length;
    if (this.#pieces.push(owned(piece)) < TOGETHER) return;
    this.#joined.push(owned(Buffer.concat(this.#pieces)));
    this.#pieces = [];
  }

  /** All of them with this one behind them, as one; none is left. */
  takeWith(piece: Buffer): Buffer {
    if (this.#bytes === 0) return piece;
    this.push(piece);
    return this.take();
  }

  /** All of them as one, the very piece where there was one alone; none is left. */
  take(): Buffer {
    const all = [...this.#joined, ...this.#pieces];
    this.clear();
    return all.length === 1 && all[0] ? all[0] : Buffer.concat(all);
  }

  clear(): void {
    [this.#joined, this.#pieces, this.#bytes] = [[], [], 0];
  }
}
