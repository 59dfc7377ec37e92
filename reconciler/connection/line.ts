/**
 * A program running for us somewhere, as three streams and an end: what every kind of connection gives.
 * Invariant: `exited` settles exactly once, also when the way to the program dies.
 * Never knows what the program says.
 */

import type { Readable, Writable } from 'node:stream';
import type { Content } from '../../agent/protocol/blob.ts';
import type { SupplyForm } from '../../agent/protocol/message.ts';
import type { Problem, Result } from '../../agent/protocol/problem.ts';
import type { ContentStore } from '../base/content.ts';

/** How a program ended; `lost` says why when the way to it broke first. */
export interface Exit {
  readonly status: number | null;
  readonly signal: string | null;
  readonly lost?: string | undefined;
  /** Only its own channel went: it has ended, and a server need not tell how (RFC 4254, section 6.10). */
  readonly isUntold?: boolean | undefined;
  /** What is known of that. */
  readonly problem?: Problem | undefined;
}

/** A range of a content that is to come into a program's input from a cache near it. */
export interface Supply {
  readonly content: Content;
  readonly offset: number;
  readonly bytes: number;
  /** As it is, or as chunk frames of the protocol. */
  readonly form: SupplyForm;
  /** Who has it when the cache has not. */
  readonly store: ContentStore;
}

export interface RemoteProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly exited: Promise<Exit>;
  /** Ends the program and the way to it, without waiting: for what never became an agent. */
  kill(): void;
  /** Closes the streams and lets the program end by itself; an agent finishes the resource in hand. */
  release(): void;
  /**
   * Writes into stdin, in its turn, from a cache near the program, so that the bytes cross our own line once for all programs
   * there. With a problem nothing was written. Absent where no such cache is on the way.
   */
  supply?(supply: Supply): Promise<Result<void>>;
}

export interface StartOptions {
  /** Ask for a terminal: only for programs that take a password from nothing else. */
  readonly pty: boolean;
}

/** Runs a command line of the login shell at the far end. */
export interface Runner {
  start(command: string, options: StartOptions): Promise<Result<RemoteProcess>>;
}

/** What can be told of an open line besides running commands over it. */
export interface MeasuredLine {
  /** Milliseconds from the first packet until it could be used, without what was waited for before. */
  readonly setUpMilliseconds: number;
  /** Milliseconds to its far end and back; absent where nothing there answers but programs. */
  roundTrip?(): Promise<Result<number>>;
}

/** Keeps the last lines of a stream of text, bounded, for a Problem to carry. */
export class LastLines {
  readonly #lines: number;
  #text = '';

  constructor(lines = 10) {
    this.#lines = lines;
  }

  add(bytes: Buffer | string): void {
    this.#text = (this.#text + bytes.toString()).slice(-8192);
  }

  get text(): string {
    return this.#text;
  }

  /** The last lines that are not empty, oldest first. */
  get lines(): readonly string[] {
    return this.#text
      .split(/\r?\n/)
      .map((line) => line.trimEnd().slice(0, 500))
      .filter((line) => line !== '')
      .slice(-this.#lines);
  }
}

/** What an end says to a person, with the likely cause of well known ones. */
export function describeExit(exit: Exit): string {
  if (exit.lost !== undefined) return exit.lost;
  if (exit.signal !== null) return `killed by ${exit.signal}${causeOf(exit.signal)}`;
  if (exit.status === 137) return 'exit status 137: killed, often because the host ran out of memory';
  if (exit.status === 127) return 'exit status 127: a program was not found';
  return `exit status ${exit.status ?? 'unknown'}`;
}

function causeOf(signal: string): string {
  if (signal === 'SIGKILL' || signal === 'KILL') return ', often because the host ran out of memory';
  if (signal === 'SIGHUP' || signal === 'HUP') return ', the login session ended';
  return '';
}
