/**
 * The agent's end of the line: frames in, messages and chunks to their listeners; messages out, in order.
 * Invariant: nothing leaves but whole frames; events are batched and bounded by the credit the reconciler gave;
 * a peer that is silent for three heartbeats is lost.
 * Never decides what a message means.
 */

import type { Readable, Writable } from 'node:stream';
import { deferred } from './deferred.ts';
import { decodeMessage, encodeMessage } from './protocol/codec.ts';
import {
  type Chunk,
  decodeChunk,
  decodeStream,
  FrameDecoder,
  frameTypes,
  type StreamPart,
} from './protocol/frame.ts';
import {
  type AgentEvent,
  type AgentMessage,
  type ReconcilerMessage,
  reconcilerMessageSchema,
} from './protocol/message.ts';
import type { Problem } from './protocol/problem.ts';
import { agentProblem, thrownProblem } from './protocol/problem-codes.ts';

export interface ChannelListener {
  message(message: ReconcilerMessage): void;
  chunk(chunk: Chunk): void;
  input(part: StreamPart): void;
  /** The line ended: cleanly (no problem) or not. Called once. */
  ended(problem?: Problem): void;
}

/** Events kept while there is no credit, and sent in one frame; output beyond it is dropped and said so. */
const eventBacklogBytes = 1024 * 1024;

/** Output that must not be dropped waits while more than this is queued. */
const roomyBytes = eventBacklogBytes / 8;

/** Milliseconds in which events gather to leave in one frame: each frame costs cipher, packet and system calls on both ends. */
const gathering = 10;

/** Whole silent heartbeats besides the one in which something was heard last: less than three in all. */
const silentBeatsLimit = 2;

interface QueuedEvent {
  readonly call: number;
  readonly event: AgentEvent;
  readonly bytes: number;
}

export class Channel {
  readonly #output: Writable;
  readonly #listener: ChannelListener;
  readonly #decoder = new FrameDecoder();
  #queue: QueuedEvent[] = [];
  #queuedBytes = 0;
  #credit = 0;
  #flushing = false;
  #dropping = false;
  #room = deferred<void>();
  #ended = false;
  readonly #sources = new Map<object, () => Buffer[] | undefined>();
  #pouring = false;
  #heard = true;
  #silentBeats = 0;
  #beat: NodeJS.Timeout | undefined;

  constructor(input: Readable, output: Writable, listener: ChannelListener) {
    this.#output = output;
    this.#listener = listener;
    input.on('data', (bytes: Buffer) => this.#receive(bytes));
    const end = (): void => this.#end();
    input.on('end', end);
    input.on('error', end);
    output.on('error', end);
    output.on('drain', () => this.#pour());
  }

  /** Sends a message at once; the answer of a call comes after the call's events, whatever the credit. */
  send(message: AgentMessage): void {
    if (message.type === 'converged' || message.type === 'executed') this.#flush(true);
    this.#write(message);
  }

  /** Queues an event of a call; it leaves with its neighbours in one frame. */
  event(call: number, event: AgentEvent): void {
    const bytes = JSON.stringify(event).length;
    const isOver = this.#dropping || this.#queuedBytes + bytes > eventBacklogBytes;
    if (event.event !== 'output' || !isOver) return this.#enqueue(call, event, bytes);
    if (!this.#dropping) this.#enqueue(call, { ...event, text: '… output dropped\n' });
    this.#dropping = true;
  }

  /** Settles when few bytes of events are queued; undefined when that is so. */
  room(): Promise<void> | undefined {
    return this.#queuedBytes > roomyBytes ? this.#room.promise : undefined;
  }

  #enqueue(call: number, event: AgentEvent, bytes = JSON.stringify(event).length): void {
    this.#queue.push({ call, event, bytes });
    this.#queuedBytes += bytes;
    if (this.#queuedBytes > roomyBytes) this.#flush(false);
    if (this.#flushing) return;
    this.#flushing = true;
    setTimeout(() => {
      this.#flushing = false;
      this.#flush(false);
    }, gathering);
  }

  /** The reconciler takes this many more bytes of events. */
  grant(bytes: number): void {
    this.#credit += bytes;
    this.#flush(false);
  }

  /**
   * Sends frames of a source as long as `next` has one: one of each source in turn and one in each turn of the event loop, as far
   * as the line takes them, so that no source keeps the others or the heartbeat waiting.
   */
  pour(source: object, next: () => Buffer[] | undefined): void {
    this.#sources.set(source, next);
    this.#pour();
  }

  /** Starts the heartbeat: one ping a period; a peer silent for three of them is lost. */
  keepAlive(seconds: number): void {
    clearInterval(this.#beat);
    this.#beat = setInterval(() => this.#tick(), seconds * 1000);
  }

  /** Resolves when everything sent has left this process. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#flush(true);
      this.#output.write('', () => resolve());
    });
  }

  #pour(): void {
    if (this.#pouring || this.#output.writableNeedDrain) return;
    const [first] = this.#sources;
    if (!first) return;
    const [source, next] = first;
    this.#sources.delete(source);
    this.#pouring = true;
    setImmediate(() => {
      this.#pouring = false;
      const frame = next();
      if (frame) {
        this.#writeParts(frame);
        this.#sources.set(source, next);
      }
      this.#pour();
    });
  }

  #tick(): void {
    this.#silentBeats = this.#heard ? 0 : this.#silentBeats + 1;
    this.#heard = false;
    if (this.#silentBeats >= silentBeatsLimit) {
      this.#end(agentProblem('agent.link-lost', 'the reconciler has been silent for too long'));
      return;
    }
    this.#write({ type: 'ping', id: 0 });
  }

  #receive(bytes: Buffer): void {
    if (this.#ended) return;
    this.#heard = true;
    try {
      for (const frame of this.#decoder.push(bytes)) {
        if (frame.type === frameTypes.chunk) this.#listener.chunk(decodeChunk(frame.body));
        else if (frame.type === frameTypes.stream) this.#listener.input(decodeStream(frame.body));
        else this.#listener.message(decodeMessage(frame, reconcilerMessageSchema));
      }
    } catch (error) {
      this.#end(thrownProblem(error));
    }
  }

  /** Sends queued events as far as credit goes; `all` when a message must come after them. */
  #flush(all: boolean): void {
    while (this.#queue.length > 0 && (all || this.#credit > 0)) {
      const call = (this.#queue[0] as QueuedEvent).call;
      const limit = all ? eventBacklogBytes : Math.min(this.#credit, eventBacklogBytes);
      let bytes = 0;
      const end = this.#queue.findIndex((queued) => {
        if (queued.call !== call || (bytes > 0 && bytes + queued.bytes > limit)) return true;
        bytes += queued.bytes;
        return false;
      });
      const batch = this.#queue.splice(0, end === -1 ? this.#queue.length : end);
      this.#queuedBytes -= bytes;
      this.#dropping = false;
      this.#credit -= bytes;
      this.#write({ type: 'events', id: call, events: batch.map((queued) => queued.event) });
    }
    if (this.#queuedBytes > roomyBytes) return;
    this.#room.resolve();
    this.#room = deferred();
  }

  #write(message: AgentMessage): void {
    this.#writeParts(encodeMessage(message));
  }

  #writeParts(parts: readonly Buffer[]): void {
    if (this.#output.writableEnded || this.#output.destroyed) return;
    this.#output.write(Buffer.concat(parts));
  }

  #end(problem?: Problem): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#beat);
    this.#listener.ended(problem);
  }
}
