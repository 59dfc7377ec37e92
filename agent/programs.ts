/**
 * The programs whose streams the reconciler holds: connections that lead on from this host.
 * Invariant: ids are the reconciler's; what is for a program that has ended is dropped; a bounded number runs at once.
 * Never waits for one program before it serves another.
 */

import type { Channel } from './channel.ts';
import type { ContentCache, ReadRange } from './content-cache.ts';
import { ProgramStream } from './program-stream.ts';
import { chunkSize } from './protocol/blob.ts';
import { encodeChunk, type OutputChannel, type StreamPart } from './protocol/frame.ts';
import type { OpenMessage, ShutMessage, SupplyMessage, WindowMessage } from './protocol/message.ts';
import type { Problem } from './protocol/problem.ts';
import { agentProblem, refusal, thrownProblem } from './protocol/problem-codes.ts';
import { startProgram } from './system/exec.ts';

/** Programs at once. */
export const programsLimit = 256;

export class Programs {
  readonly #channel: Channel;
  readonly #cache: ContentCache;
  readonly #programs = new Map<number, Promise<ProgramStream>>();

  constructor(channel: Channel, cache: ContentCache) {
    this.#channel = channel;
    this.#cache = cache;
  }

  open({ id, argv }: OpenMessage): void {
    const program = this.#start(id, argv);
    this.#programs.set(id, program);
    void this.#follow(id, program);
  }

  input({ id, bytes }: StreamPart): void {
    this.#with(id, (program) => program.write(bytes));
  }

  window({ id, channel, bytes }: WindowMessage): void {
    this.#with(id, (program) => program.grant(channel as OutputChannel, bytes));
  }

  shut({ id, how }: ShutMessage): void {
    this.#with(id, (program) => program.shut(how));
  }

  /** All of a supply goes into the program's input, or nothing; the answer says which. */
  supply(message: SupplyMessage): void {
    const answer = (problem?: Problem): void =>
      this.#channel.send({ type: 'supplied', id: message.id, problem });
    const feed = async (program: ProgramStream): Promise<void> => {
      try {
        await this.#cache.lend(message.content, (read) => pass(message, read, program));
        answer();
      } catch (error) {
        answer(thrownProblem(error));
      }
    };
    const ended = agentProblem('agent.cancelled', 'the program has ended');
    if (!this.#with(message.program, (program) => program.inTurn(() => feed(program)))) answer(ended);
  }

  /** The line is gone: every program is given its time to end. */
  async finish(): Promise<void> {
    await Promise.allSettled(
      [...this.#programs.values()].map(async (starting) => {
        const program = await starting;
        program.shut('release');
        await program.ended;
      }),
    );
  }

  async #follow(id: number, program: Promise<ProgramStream>): Promise<void> {
    try {
      await (await program).ended;
    } catch (error) {
      this.#channel.send({ type: 'exited', id, status: null, signal: null, problem: thrownProblem(error) });
    }
    this.#programs.delete(id);
  }

  async #start(id: number, argv: readonly string[]): Promise<ProgramStream> {
    if (this.#programs.size >= programsLimit)
      throw refusal('agent.too-many-programs', `${programsLimit} programs run through this host already`);
    return new ProgramStream(id, await startProgram(argv, { stdin: '' }), this.#channel);
  }

  /** False when there is no such program. */
  #with(id: number, act: (program: ProgramStream) => void): boolean {
    const program = this.#programs.get(id);
    program?.then(act, () => {});
    return program !== undefined;
  }
}

async function pass(
  { content, offset, bytes, form }: SupplyMessage,
  read: ReadRange,
  program: ProgramStream,
) {
  const end = Math.min(offset + bytes, content.size);
  for (let at = offset; at < end; at += chunkSize) {
    const piece = await read(at, Math.min(chunkSize, end - at));
    const isRaw = form === 'raw';
    const parts = isRaw ? [piece] : encodeChunk({ sha256: content.sha256, offset: at, bytes: piece });
    for (const part of parts) await program.put(part);
  }
}
