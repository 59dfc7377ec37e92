/**
 * A TCP link between a client and a server that can be slow, narrow, silent or cut, and that counts what crosses it.
 * Invariant: bytes keep their order; nothing is lost unless the link was silenced or cut; `close` leaves no socket.
 * Never reads what it carries.
 */

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export interface LinkQuality {
  /** Milliseconds that every byte takes, each way. */
  readonly delay?: number;
  /** Bytes a second, each way. */
  readonly rate?: number;
}

/** One way of the link: `up` goes to the server. */
export type Way = 'up' | 'down';

interface Crossed {
  bytes: number;
  /** Reads from the socket: about what the peer wrote at once. */
  segments: number;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

/** Carries connections from a free port of 127.0.0.1 to a server. */
export class TcpLink {
  readonly #server: Server;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #pairs = new Set<Pair>();
  readonly #crossed: Readonly<Record<Way, Crossed>> = {
    up: { bytes: 0, segments: 0 },
    down: { bytes: 0, segments: 0 },
  };
  #quality: LinkQuality;
  #silent = false;
  #watch: ((way: Way) => void) | undefined;
  #turns = 0;
  #lastWay: Way | undefined;

  private constructor(target: { readonly host: string; readonly port: number }, quality: LinkQuality) {
    this.#target = target;
    this.#quality = quality;
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => this.#join(client));
  }

  static async open(
    target: { readonly host: string; readonly port: number },
    quality: LinkQuality = {},
  ): Promise<TcpLink> {
    const link = new TcpLink(target, quality);
    link.#server.listen(0, '127.0.0.1');
    await once(link.#server, 'listening');
    return link;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** What has crossed, since the last `reset`. */
  crossed(way: Way): Readonly<Crossed> {
    return { ...this.#crossed[way] };
  }

  /** How often the direction has changed since the last `reset`, the first bytes included: a round trip is two. */
  get turns(): number {
    return this.#turns;
  }

  reset(): void {
    this.#turns = 0;
    this.#lastWay = undefined;
    for (const crossed of Object.values(this.#crossed)) Object.assign(crossed, { bytes: 0, segments: 0 });
  }

  /** For what is sent from now on. */
  set quality(quality: LinkQuality) {
    this.#quality = quality;
  }

  /** Cuts as soon as that many segments have crossed one way since now; the last of them still arrives. */
  cutAfter(way: Way, segments: number): void {
    const start = this.#crossed[way].segments;
    this.#watch = (crossed) => {
      if (crossed !== way || this.#crossed[way].segments - start < segments) return;
      this.#watch = undefined;
      setImmediate(() => this.cut());
    };
  }

  /** Whether a cut that was asked for is still to come. */
  get armed(): boolean {
    return this.#watch !== undefined;
  }

  /** Takes back a cut that has not come. */
  disarm(): void {
    this.#watch = undefined;
  }

  /** Ends every connection at once; new ones may come. */
  cut(): void {
    for (const { client, server } of this.#pairs) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
    this.#pairs.clear();
  }

  /** From now on nothing arrives, and nobody is told. */
  silence(): void {
    this.#silent = true;
  }

  /** New connections work again; what was silenced stays so. */
  restore(): void {
    this.cut();
    this.#silent = false;
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: Socket): void {
    const server = connect({ ...this.#target, noDelay: true, allowHalfOpen: true });
    const pair: Pair = { client, server };
    this.#pairs.add(pair);
    this.#carry('up', client, server);
    this.#carry('down', server, client);
    const forget = (): void => {
      if (client.destroyed && server.destroyed) this.#pairs.delete(pair);
    };
    client.on('close', forget);
    server.on('close', forget);
  }

  /** One way of one connection: what was read goes on when its time has come, in order. */
  #carry(way: Way, from: Socket, to: Socket): void {
    let free = 0;
    let last: Promise<void> = Promise.resolve();
    const later = (milliseconds: number, act: () => void): void => {
      const due = milliseconds <= 0 ? Promise.resolve() : sleep(milliseconds);
      last = Promise.all([last, due]).then(act);
    };
    from.on('data', (bytes: Buffer) => {
      if (this.#silent) return;
      this.#crossed[way].bytes += bytes.length;
      this.#crossed[way].segments += 1;
      if (this.#lastWay !== way) this.#turns += 1;
      this.#lastWay = way;
      const { delay = 0, rate } = this.#quality;
      const now = performance.now();
      free = Math.max(free, now) + (rate === undefined ? 0 : (bytes.length * 1000) / rate);
      const wait = free - now + delay;
      // A narrow link holds its sender back, as a full queue in a router does.
      if (rate !== undefined) from.pause();
      later(wait, () => {
        if (rate !== undefined) from.resume();
        if (!to.destroyed && !this.#silent) to.write(bytes);
        this.#watch?.(way);
      });
    });
    from.on('end', () => later(this.#quality.delay ?? 0, () => to.end()));
    from.on('error', () => to.destroy());
    from.on('close', () => {
      if (!this.#silent) later(0, () => to.destroySoon());
    });
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
