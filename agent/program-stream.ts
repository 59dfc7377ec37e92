/**
 * One program started for the reconciler: its streams as frames, its end as a message.
 * Invariant: what is put into its input arrives in the order it came; its output leaves only as far as it was granted; nothing of its
 * process group outlives it.
 * Never looks at what passes through.
 */

import type { Readable } from 'node:stream';
import type { Channel } from './channel.ts';
import { encodeStream, type OutputChannel, streamWindow } from './protocol/frame.ts';
import { type StartedProgram, signalGroup } from './system/exec.ts';

/** Milliseconds that a program whose line is gone may take to end: an agent finishes the resource in hand. */
const releaseGrace = 60_000;

export class ProgramStream {
  readonly #id: number;
  readonly #child: StartedProgram;
  readonly #channel: Channel;
  readonly #credit: Record<OutputChannel, number> = { 1: streamWindow, 2: streamWindow };
  #input: Promise<void> = Promise.resolve();
  #grace: NodeJS.Timeout | undefined;
  /** Settles when the program and all its output have ended. */
  readonly ended: Promise<void>;

  constructor(id: number, child: StartedProgram, channel: Channel) {
    this.#id = id;
    this.#child = child;
    this.#channel = channel;
    child.stdin?.on('error', () => child.stdin?.destroy());
    for (const output of [1, 2] as const) this.#source(output).on('readable', () => this.#offer(output));
    this.ended = new Promise((resolve) => {
      child.once('exit', () => signalGroup(child.pid, 'SIGKILL'));
      child.once('close', (status, signal) => {
        clearTimeout(this.#grace);
        channel.send({ type: 'exited', id, status, signal });
        resolve();
      });
    });
  }

  /** Puts bytes into the program's input in their turn, and says when it took them. */
  write(bytes: Buffer): void {
    this.inTurn(async () => {
      await this.put(bytes);
      this.#channel.send({ type: 'window', id: this.#id, channel: 0, bytes: bytes.length });
    });
  }

  /** Does what belongs after all that was written before. */
  inTurn(act: () => Promise<void>): void {
    this.#input = this.#input.then(act);
  }

  /** Resolves when the program took the bytes, or takes nothing any more. Only in turn. */
  put(bytes: Buffer): Promise<void> {
    return new Promise((resolve) => this.#child.stdin?.write(bytes, () => resolve()));
  }

  grant(output: OutputChannel, bytes: number): void {
    this.#credit[output] += bytes;
    this.#offer(output);
  }

  shut(how: 'stdin' | 'release' | 'kill'): void {
    const { stdin, pid } = this.#child;
    if (how === 'stdin') return this.inTurn(async () => void stdin?.end());
    if (how === 'kill') signalGroup(pid, 'SIGKILL');
    else this.#grace ??= setTimeout(signalGroup, releaseGrace, pid, 'SIGKILL');
    stdin?.destroy();
    for (const output of [1, 2] as const) this.#source(output).destroy();
  }

  #source(output: OutputChannel): Readable {
    return (output === 1 ? this.#child.stdout : this.#child.stderr) as Readable;
  }

  /** Lets the channel fetch output whenever it has room. */
  #offer(output: OutputChannel): void {
    this.#channel.pour(this.#source(output), () => this.#next(output));
  }

  #next(output: OutputChannel): Buffer[] | undefined {
    const source = this.#source(output);
    const credit = this.#credit[output];
    if (credit === 0) return undefined;
    // Reading without a size is what makes an empty stream tell of its end.
    const bytes = source.read(Math.min(credit, source.readableLength) || undefined) as Buffer | null;
    if (bytes === null) return undefined;
    this.#credit[output] -= bytes.length;
    return encodeStream({ id: this.#id, channel: output, bytes });
  }
}
