/** Whoever listens for long is asked again who they are: a credential that ended, or was taken away, hears nothing more. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { LockkeeperError } from '../../schemas/errors.ts';
import { type Identified, tellFallen } from '../identity/identified.ts';
import { TransientMap } from '../transient-map.ts';
import { type GatewayOptions, ownerOf } from './ports.ts';

/** How long a credential that ended may still be heard by, ms. */
const ASKED_MS = 10_000;

interface Present {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly who: Identified;
}

export class Attendance {
  readonly #o: Pick<GatewayOptions, 'identify' | 'refused'>;
  readonly #present = new TransientMap<ServerResponse, Present>();
  readonly #timer: NodeJS.Timeout;
  readonly #besides: () => Promise<void>;
  #asking = false;

  /** `besides`: what is looked at as often, though nobody listens. */
  constructor(
    options: Pick<GatewayOptions, 'identify' | 'refused' | 'askedMs'>,
    besides: () => Promise<void>,
  ) {
    this.#o = options;
    this.#besides = besides;
    this.#timer = setInterval(() => void this.#ask(), options.askedMs ?? ASKED_MS);
    this.#timer.unref();
  }

  /** Until it is answered. False of who went meanwhile: nothing would ever end what is begun for them. */
  add(present: Present): boolean {
    const { response } = present;
    if (response.closed) return false;
    this.#present.set(response, present);
    response.on('close', () => this.#present.take(response));
    return true;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** One after the other: thousands may listen. */
  async #ask(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      for (const present of this.#present.all()) {
        const error = await this.#wrong(present);
        if (!error || !this.#present.has(present.response)) continue;
        this.#o.refused(error, present.who.caller);
        tellFallen(present.who, error);
        present.response.destroy();
      }
      await this.#besides();
    } finally {
      this.#asking = false;
    }
  }

  /** Who cannot be known any more is nobody, as they would be in a new request. */
  async #wrong({ request, who }: Present): Promise<LockkeeperError | null> {
    const again = await this.#o.identify(request);
    if ('refusal' in again) return again.refusal.error;
    return ownerOf(again) === ownerOf(who) ? null : OTHER;
  }
}

const OTHER = new LockkeeperError('TOKEN_INVALID', {
  expected: 'a credential of whoever began to listen',
  found: 'the same one, of somebody with other teams or servers by now',
  next: 'Begin again',
});
