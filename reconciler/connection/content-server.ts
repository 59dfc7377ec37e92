/**
 * Serves the contents that an agent pulls.
 * Invariant: only contents named by plans that were sent on this session are given, and exactly the bytes asked for; no piece is
 * read before the line takes it, so a slow host costs no memory.
 * Never trusts an offset or a count.
 */

import { type Content, chunkSize } from '../../agent/protocol/blob.ts';
import type { AgentMessage } from '../../agent/protocol/message.ts';
import { planContents, planResources, type RolePlan } from '../../agent/protocol/plan.ts';
import { type Problem, ProblemError } from '../../agent/protocol/problem.ts';
import type { ContentReader, ContentStore } from '../base/content.ts';
import { hintedAgentProblem as agentProblem } from '../base/problem-codes/agent.ts';
import type { FrameWriter } from './frame-writer.ts';

type Need = Extract<AgentMessage, { type: 'need' }>;

interface Offer {
  readonly size: number;
  readonly store: ContentStore;
  /** Bytes that may still be asked of it; every pull costs something. */
  left: number;
}

/** Fewer bytes are sent from here: asking the cache for them is hardly shorter, and waits for it. */
const supplyFrom = 16 * 1024;
/** Pulls being answered at once; an agent asks for a few chunks ahead, not for hundreds. */
const pullLimit = 256;
/** Times that each resource of a plan may have one content sent, at every attempt: it looks, applies and looks again. */
const timesPerAttempt = 4;
const leastPullCost = 2048;

export class ContentServer {
  readonly #writer: FrameWriter;
  readonly #offers = new Map<string, Offer>();
  readonly #loans = new Map<string, Offer & { users: number }>();
  /** Contents that a cache on the way could not have. */
  readonly #unsupplied = new Set<string>();
  #open: { readonly sha256: string; readonly reader: ContentReader } | undefined;
  #queue: Promise<void> = Promise.resolve();
  #pending = 0;
  #isOver = false;

  constructor(writer: FrameWriter) {
    this.#writer = writer;
  }

  /** From now on the agent may ask for what this plan names. */
  offer(plan: RolePlan, store: ContentStore): void {
    const attempts = planResources(plan).reduce((sum, { meta }) => sum + 1 + (meta.retries ?? 0), 0);
    for (const [sha256, size] of planContents(plan)) {
      const left = timesPerAttempt * attempts * (size + chunkSize);
      this.#offers.set(sha256, { size, store, left });
    }
  }

  /** The agent may ask for this content too, to pass it on, until what is given back is called. */
  lend(content: Content, store: ContentStore): () => void {
    const { sha256, size } = content;
    const loan = this.#loans.get(sha256) ?? { size, store, left: 0, users: 0 };
    loan.users += 1;
    loan.left += timesPerAttempt * (size + chunkSize);
    this.#loans.set(sha256, loan);
    return () => {
      loan.users -= 1;
      if (loan.users === 0) this.#loans.delete(sha256);
    };
  }

  /** Sends contents right after a converge message; what the store lacks is refused. */
  sendInline(hashes: readonly string[]): void {
    for (const sha256 of hashes) {
      const size = this.#offers.get(sha256)?.size ?? 0;
      this.#inTurn(() => this.#send({ sha256, size }, 0, size));
    }
  }

  /** Answers a pull in its turn. Gives the problem for which the context must be dropped, when the agent may not ask this. */
  serve(need: Need): Problem | undefined {
    const offer = this.#offer(need.sha256);
    const problem = this.#forbidden(need, offer);
    if (problem !== undefined || offer === undefined)
      return this.#refuse(need.sha256, problem ?? unnamed(need));
    offer.left -= Math.max(need.bytes, leastPullCost);
    this.#pending += 1;
    this.#inTurn(async () => {
      await this.#send({ sha256: need.sha256, size: offer.size }, need.offset, need.bytes);
      this.#pending -= 1;
    });
    return undefined;
  }

  /** Nothing more is asked for now: what is open is closed. */
  rest(): void {
    this.#inTurn(() => this.#close());
  }

  /** The session has ended: nothing is read any more for a host that asked for much. */
  end(): void {
    this.#isOver = true;
    this.rest();
  }

  /** What cannot be closed is no reason to serve nothing further. */
  #inTurn(work: () => Promise<void>): void {
    this.#queue = this.#queue.then(work).catch(() => {});
  }

  async #close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.reader.close();
  }

  #forbidden(need: Need, offer: Offer | undefined): Problem | undefined {
    if (offer === undefined) return unnamed(need);
    const { offset, bytes } = need;
    const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(bytes);
    if (!whole || offset < 0 || bytes < 0 || offset + bytes > offer.size) {
      return agentProblem('blob.refused', `${bytes} bytes from ${offset} of ${offer.size} were asked`);
    }
    if (offer.left < bytes)
      return agentProblem('blob.refused', `content ${need.sha256.slice(0, 12)}… was asked for over and over`);
    return this.#pending >= pullLimit
      ? agentProblem('blob.refused', `${pullLimit} pulls are waiting`)
      : undefined;
  }

  #refuse(sha256: string, problem: Problem): Problem {
    this.#writer.message({ type: 'refuse', sha256, problem });
    return problem;
  }

  #offer(sha256: string): Offer | undefined {
    return this.#offers.get(sha256) ?? this.#loans.get(sha256);
  }

  async #send(content: Content, offset: number, count: number): Promise<void> {
    if (!(await this.#supply(content, offset, count))) await this.#sendFromHere(content, offset, count);
  }

  async #sendFromHere(content: Content, offset: number, count: number): Promise<void> {
    const end = offset + count;
    try {
      const reader = await this.#reader(content);
      for (let at = offset; at < end || at === offset; at += chunkSize) {
        await this.#writer.ready();
        if (this.#isOver) break;
        const bytes = await reader.read(at, Math.min(chunkSize, end - at));
        await this.#writer.chunk({ sha256: content.sha256, offset: at, bytes });
      }
      if (end === content.size) await this.#close();
    } catch (error) {
      await this.#writer.ready();
      this.#refuse(content.sha256, unreadable(content, error));
      await this.#close();
    }
  }

  /**
   * Has the cache on the way send it; false when that must be done from here. Nothing follows the first piece of a content before
   * it is there: with it the cache has all of it.
   */
  async #supply(content: Content, offset: number, count: number): Promise<boolean> {
    const { sha256 } = content;
    const store = this.#offer(sha256)?.store;
    if (!this.#writer.isSupplied || count < supplyFrom || store === undefined || this.#unsupplied.has(sha256))
      return false;
    for (let at = offset; at < offset + count; at += chunkSize) {
      await this.#writer.ready();
      const bytes = Math.min(chunkSize, offset + count - at);
      const sent = this.#writer.supply({ content, offset: at, bytes, store });
      if (at > 0) void sent.then((result) => result.ok || this.#refuse(sha256, result.problem));
      else if (content.size <= chunkSize) void sent.then((result) => result.ok || this.#instead(content));
      else if (!(await sent).ok) {
        this.#unsupplied.add(sha256);
        return false;
      }
    }
    return true;
  }

  /** Sends a content of one piece, which may come at any time. */
  #instead(content: Content): void {
    this.#unsupplied.add(content.sha256);
    this.#inTurn(() => this.#sendFromHere(content, 0, content.size));
  }

  /** The last content stays open: a large one is asked for chunk by chunk. */
  async #reader({ sha256, size }: Content): Promise<ContentReader> {
    if (this.#open?.sha256 === sha256) return this.#open.reader;
    await this.#close();
    const reader = await this.#offer(sha256)?.store.open(sha256);
    if (reader?.size === size) {
      this.#open = { sha256, reader };
      return reader;
    }
    await reader?.close();
    const message = `content ${sha256.slice(0, 12)}… of ${size} bytes is not here`;
    throw new ProblemError(agentProblem('blob.missing', message));
  }
}

/** What else went wrong here is not the host's to know. */
function unreadable({ sha256 }: Content, error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem;
  return agentProblem('blob.missing', `content ${sha256.slice(0, 12)}… cannot be read here`);
}

function unnamed(need: Need): Problem {
  return agentProblem('blob.refused', `content ${need.sha256.slice(0, 12)}… is in no plan sent to this host`);
}
