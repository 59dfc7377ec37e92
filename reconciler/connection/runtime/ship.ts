/**
 * Sends a runtime to a host and sees it put in place there.
 * Invariant: memory stays flat whatever the size and however slow the host; every wait ends; a failure leaves nothing behind on
 * a host that still answers, and on any other only what the next attempt removes.
 * Never believes the host beyond two numbers and the name of a stage.
 */

import { randomBytes } from 'node:crypto';
import type { Readable, Writable } from 'node:stream';
import { failure, type Problem, type Result, success } from '../../../agent/protocol/problem.ts';
import type { ConnectionSpec } from '../../../inventory/connection-spec.ts';
import type { ContentReader } from '../../base/content.ts';
import { connectionProblem } from '../../base/problem-codes/connection.ts';
import { type StartedScript, startScript } from '../bootstrap.ts';
import { describeExit, type Runner } from '../line.ts';
import { type Place, placePath } from './places.ts';
import type { Payload } from './prepare.ts';
import { type ShipStage, shipScript, shipStages, unfinishedFolder } from './ship-script.ts';

export interface ShipOptions {
  readonly payload: Payload;
  readonly place: Place;
  /** false: the runtime goes with `release`. */
  readonly keep: boolean;
  readonly startDeadline: number;
  /** Milliseconds without any progress after which it is given up. */
  readonly stall?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Bytes that have left. */
  readonly onSent: (bytes: number) => void;
}

/** A runtime on the host. */
export interface Shipped {
  /** Its path, when it is not to be kept: nothing else finds it. */
  readonly runtime?: string | undefined;
  /** To be called when an agent runs on it, or never will. */
  release(): void;
}

const chunk = 256 * 1024;
/** Bytes that a cache near the host is asked for at once. */
const supplied = 1024 * 1024;
const patience = 120_000;

/** Ships to the account that the target's agent runs as. */
export async function shipRuntime(
  runner: Runner,
  target: Pick<ConnectionSpec, 'host' | 'become'>,
  options: ShipOptions,
): Promise<Result<Shipped>> {
  const word = randomBytes(6).toString('hex');
  const { payload, place, keep } = options;
  const { compression, size, raw } = payload;
  const script = shipScript({ place, compression, size, sha256: raw.sha256, word, keep });
  const started = await startScript(runner, target, { ...options, script });
  if (!started.ok) return started;
  const shipment = new Shipment(started.value, options);
  const answer = await shipment.run();
  const { process } = started.value;
  if (answer.name !== 'done' || keep) process.stdin.end();
  if (answer.name !== 'done') {
    process.kill();
    return failure(shipment.problem(target.host, answer));
  }
  if (keep) return success({ release: () => {} });
  const folder = unfinishedFolder(answer.process, word);
  return success({
    runtime: `${placePath(place, answer.user)}/${folder}/node`,
    release: () => process.stdin.end(),
  });
}

/** What the script says, and what is said of it when it says nothing. */
type Answer =
  | { readonly name: 'go' }
  | { readonly name: 'done'; readonly user: number; readonly process: number }
  | { readonly name: 'failed'; readonly stage: ShipStage; readonly free: number | undefined }
  | { readonly name: 'ended' | 'stalled' | 'cancelled'; readonly how: string };

class Shipment {
  readonly #script: StartedScript;
  readonly #options: ShipOptions;
  readonly #over = Promise.withResolvers<Answer>();
  readonly #answers: AsyncIterator<Answer>;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;
  #isNear = true;

  constructor(script: StartedScript, options: ShipOptions) {
    this.#script = script;
    this.#options = options;
    this.#answers = answersOf(script.process.stdout);
    const { signal } = options;
    const cancel = (): void => this.#over.resolve({ name: 'cancelled', how: 'cancelled from here' });
    signal?.addEventListener('abort', cancel, { once: true });
    if (signal?.aborted) cancel();
    void this.#over.promise.then(() => {
      this.#isOver = true;
      clearTimeout(this.#timer);
      signal?.removeEventListener('abort', cancel);
    });
  }

  /** Up to the script's last answer. */
  async run(): Promise<Answer> {
    this.#progress();
    void this.#converse();
    return this.#over.promise;
  }

  problem(host: string, answer: Answer): Problem {
    const { lines } = this.#script.said;
    const place = { where: { host }, lines };
    if (answer.name === 'failed') return stageProblem(answer.stage, answer.free, place);
    const how = 'how' in answer ? answer.how : answer.name;
    const code = answer.name === 'cancelled' ? 'line.cancelled' : 'runtime.upload-failed';
    return connectionProblem(code, `the runtime did not reach the host: ${how}`, place);
  }

  async #converse(): Promise<void> {
    const first = await this.#next();
    if (first.name !== 'go') return this.#over.resolve(first);
    const last = this.#next();
    await Promise.race([this.#send(), last]);
    this.#over.resolve(await last);
  }

  /** The next answer, or how the script ended without one. */
  async #next(): Promise<Answer> {
    const { value } = await this.#answers.next().catch(() => ({ value: undefined }));
    if (value !== undefined) return value;
    const exit = await this.#script.process.exited;
    return { name: 'ended', how: describeExit(exit) };
  }

  async #send(): Promise<void> {
    const { payload, onSent } = this.#options;
    const { stdin } = this.#script.process;
    const reader = await payload.open();
    try {
      for (let sent = 0; sent < payload.size && stdin.writable && !this.#isOver; ) {
        const isNear = await this.#supply(sent);
        sent += isNear > 0 ? isNear : await this.#write(reader, sent);
        this.#progress();
        onSent(sent);
      }
    } catch (error) {
      this.#over.resolve({ name: 'ended', how: `it cannot be read here: ${(error as Error).message}` });
    } finally {
      await reader.close();
    }
  }

  /** Lets a cache near the host send the next range; 0 where there is none, or it cannot. */
  async #supply(offset: number): Promise<number> {
    const { process } = this.#script;
    const { payload } = this.#options;
    if (process.supply === undefined || !this.#isNear) return 0;
    const bytes = Math.min(supplied, payload.size - offset);
    const content = { sha256: payload.sha256, size: payload.size };
    const store = { open: () => payload.open() };
    const done = await Promise.race([
      process.supply({ content, offset, bytes, form: 'raw', store }),
      this.#over.promise,
    ]);
    this.#isNear = 'ok' in done && done.ok;
    return this.#isNear ? bytes : 0;
  }

  async #write(reader: ContentReader, offset: number): Promise<number> {
    const bytes = await reader.read(offset, Math.min(chunk, this.#options.payload.size - offset));
    if (bytes.length === 0) throw new Error('the file ended early');
    await Promise.race([flushed(this.#script.process.stdin, bytes), this.#over.promise]);
    return bytes.length;
  }

  #progress(): void {
    clearTimeout(this.#timer);
    const stall = this.#options.stall ?? patience;
    const how = `nothing moved for ${stall / 1000} s`;
    this.#timer = setTimeout(() => this.#over.resolve({ name: 'stalled', how }), stall);
  }
}

/** Settles when the stream takes more, or never will. */
function flushed(stream: Writable, bytes: Buffer): Promise<void> {
  if (stream.write(bytes)) return Promise.resolve();
  return new Promise((resolve) => {
    const settle = (): void => {
      for (const event of ['drain', 'close', 'error']) stream.off(event, settle);
      resolve();
    };
    for (const event of ['drain', 'close', 'error']) stream.on(event, settle);
  });
}

/** The answers among the lines of the script's output; too long a line ends them. */
async function* answersOf(stdout: Readable): AsyncGenerator<Answer, undefined> {
  let rest = '';
  for await (const bytes of stdout) {
    const lines = (rest + (bytes as Buffer).toString('latin1')).split(/\r?\n/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const answer = readAnswer(line);
      if (answer !== undefined) yield answer;
    }
    if (rest.length > 1024) return undefined;
  }
  return undefined;
}

function readAnswer(line: string): Answer | undefined {
  if (line === 'go') return { name: 'go' };
  const [, user, process] = /^done (\d{1,10}) (\d{1,10})$/.exec(line) ?? [];
  if (user !== undefined && process !== undefined)
    return { name: 'done', user: Number(user), process: Number(process) };
  const [, named, free] = /^failed ([a-z]+)(?: (\d{1,15}))?/.exec(line) ?? [];
  const stage = shipStages.find((known) => known === named);
  return stage && { name: 'failed', stage, free: free === undefined ? undefined : Number(free) * 1024 };
}

/** Bytes left on a disk that is as good as full. */
const full = 4 * 1024 * 1024;

function stageProblem(
  stage: ShipStage,
  free: number | undefined,
  place: Pick<Problem, 'where' | 'lines'>,
): Problem {
  switch (stage) {
    case 'place':
      return connectionProblem('runtime.no-place', 'the folder for the runtime cannot be used', place);
    case 'unpack':
      return free !== undefined && free < full
        ? connectionProblem('runtime.no-space', 'the host’s disk filled up while the runtime arrived', place)
        : connectionProblem('runtime.upload-failed', 'the runtime arrived incomplete', place);
    case 'hash':
      return connectionProblem('runtime.damaged', 'the runtime arrived with another SHA-256', place);
    case 'run':
      return connectionProblem('runtime.cannot-run', 'the shipped Node does not start there', place);
    case 'move':
      return connectionProblem('runtime.upload-failed', 'the runtime cannot be put in its place', place);
    default:
      return stage satisfies never;
  }
}
