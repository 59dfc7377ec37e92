/**
 * Serves the contents that an agent pulls.
 * Invariant: only contents named by plans that were sent on this session are given, and exactly the bytes asked for.
 * Never trusts an offset or a count.
 */

import { type Content, chunkSize } from '../../agent/protocol/blob.ts';
import type { AgentMessage } from '../../agent/protocol/message.ts';
import { planContents, type RolePlan } from '../../agent/protocol/plan.ts';
import type { Problem } from '../../agent/protocol/problem.ts';
import type { ContentStore } from '../base/content.ts';
import { hintedAgentProblem as agentProblem } from '../base/problem-codes/agent.ts';
import type { FrameWriter } from './frame-writer.ts';

type Need = Extract<AgentMessage, { type: 'need' }>;

interface Offer {
  readonly size: number;
  readonly store: ContentStore;
}

/** Pulls being answered at once; an agent asks for a few chunks ahead, not for hundreds. */
const pullLimit = 256;

export class ContentServer {
  readonly #writer: FrameWriter;
  readonly #offers = new Map<string, Offer>();
  #cached: { readonly sha256: string; readonly bytes: Promise<Buffer | undefined> } | undefined;
  #queue: Promise<void> = Promise.resolve();
  #pending = 0;

  constructor(writer: FrameWriter) {
    this.#writer = writer;
  }

  /** From now on the agent may ask for what this plan names. */
  offer(plan: RolePlan, store: ContentStore): void {
    for (const [sha256, size] of planContents(plan)) this.#offers.set(sha256, { size, store });
  }

  /** Sends contents right after a converge message; what the store lacks is refused. */
  async sendInline(hashes: readonly string[]): Promise<void> {
    for (const sha256 of hashes) {
      await this.#writer.ready();
      const size = this.#offers.get(sha256)?.size ?? 0;
      await this.#send({ sha256, size }, 0, size);
    }
  }

  /** Answers a pull in its turn. Gives the problem for which the context must be dropped, when the agent may not ask this. */
  serve(need: Need): Problem | undefined {
    const offer = this.#offers.get(need.sha256);
    const problem = this.#forbidden(need, offer);
    if (problem !== undefined || offer === undefined)
      return this.#refuse(need.sha256, problem ?? unnamed(need));
    this.#pending += 1;
    this.#queue = this.#queue
      .then(() => this.#send({ sha256: need.sha256, size: offer.size }, need.offset, need.bytes))
      .finally(() => {
        this.#pending -= 1;
      });
    return undefined;
  }

  #forbidden(need: Need, offer: Offer | undefined): Problem | undefined {
    if (offer === undefined) return unnamed(need);
    const { offset, bytes } = need;
    const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(bytes);
    if (!whole || offset < 0 || bytes < 0 || offset + bytes > offer.size) {
      return agentProblem('blob.refused', `${bytes} bytes from ${offset} of ${offer.size} were asked`);
    }
    return this.#pending >= pullLimit
      ? agentProblem('blob.refused', `${pullLimit} pulls are waiting`)
      : undefined;
  }

  #refuse(sha256: string, problem: Problem): Problem {
    this.#writer.message({ type: 'refuse', sha256, problem });
    return problem;
  }

  async #send(content: Content, offset: number, count: number): Promise<void> {
    const bytes = await this.#bytes(content);
    if (bytes === undefined) {
      const short = content.sha256.slice(0, 12);
      this.#refuse(
        content.sha256,
        agentProblem('blob.missing', `content ${short}… of ${content.size} bytes is not here`),
      );
      return;
    }
    const end = offset + count;
    for (let at = offset; at < end || at === offset; at += chunkSize) {
      await this.#writer.ready();
      const part = bytes.subarray(at, Math.min(at + chunkSize, end));
      this.#writer.chunk({ sha256: content.sha256, offset: at, bytes: part });
    }
  }

  /** The last content stays at hand: a large one is asked for chunk by chunk. */
  async #bytes(content: Content): Promise<Buffer | undefined> {
    const { sha256, size } = content;
    if (this.#cached?.sha256 !== sha256) {
      const store = this.#offers.get(sha256)?.store;
      const bytes = store?.get(sha256).catch(() => undefined) ?? Promise.resolve(undefined);
      this.#cached = { sha256, bytes };
    }
    const bytes = await this.#cached.bytes;
    if (bytes?.length !== size) this.#cached = undefined;
    return bytes?.length === size ? bytes : undefined;
  }
}

function unnamed(need: Need): Problem {
  return agentProblem('blob.refused', `content ${need.sha256.slice(0, 12)}… is in no plan sent to this host`);
}
