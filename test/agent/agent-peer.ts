/**
 * The reconciler's end of a line to a bundled agent in a child process: what it said, and calls to it.
 * Invariant: real frames over real pipes; a peer that is thrown away kills the process it started.
 * For tests only.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeMessage, encodeMessage } from '../../agent/protocol/codec.ts';
import { encodeChunk, FrameDecoder } from '../../agent/protocol/frame.ts';
import {
  type AgentEvent,
  type AgentMessage,
  agentMessageSchema,
  type ConvergeMessage,
  type ConvergeResult,
  type HelloMessage,
  type ReconcilerMessage,
} from '../../agent/protocol/message.ts';
import type { RolePlan } from '../../agent/protocol/plan.ts';
import { bundleAgent } from '../../reconciler/connection/agent-bundle.ts';

let code: Promise<string> | undefined;

/** The bundled agent as a file, made once a process. */
function agentFile(): Promise<string> {
  code ??= bundleAgent(fileURLToPath(new URL('../../agent/main.ts', import.meta.url))).then((text) => {
    const directory = mkdtempSync(join(tmpdir(), 'towline-agent-'));
    const file = join(directory, 'agent.cjs');
    writeFileSync(file, text);
    return file;
  });
  return code;
}

/** Takes the agent's file away again. */
export async function removeAgentFile(): Promise<void> {
  if (code !== undefined) rmSync(dirname(await code), { recursive: true, force: true });
}

type Of<T extends AgentMessage['type']> = Extract<AgentMessage, { type: T }>;

export class AgentPeer {
  readonly child: ChildProcess;
  readonly messages: AgentMessage[] = [];
  readonly exited: Promise<number | null>;
  #waiting: (() => void)[] = [];
  #lastId = 0;

  constructor(child: ChildProcess) {
    this.child = child;
    const decoder = new FrameDecoder();
    child.stdout?.on('data', (bytes: Buffer) => {
      for (const frame of decoder.push(bytes)) this.messages.push(decodeMessage(frame, agentMessageSchema));
      this.#wake();
    });
    child.stdin?.on('error', () => {});
    this.exited = new Promise((resolve) =>
      child.once('close', (status) => {
        resolve(status);
        this.#wake();
      }),
    );
  }

  /** Starts an agent whose host is this directory. */
  static async start(hostDirectory: string): Promise<AgentPeer> {
    const child = spawn(process.execPath, [await agentFile()], {
      env: { TOWLINE_HOST_DIR: hostDirectory, PATH: process.env.PATH },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    return new AgentPeer(child);
  }

  get events(): AgentEvent[] {
    return this.messages.flatMap((message) => (message.type === 'events' ? message.events : []));
  }

  send(message: ReconcilerMessage): void {
    for (const part of encodeMessage(message)) this.child.stdin?.write(part);
  }

  chunk(sha256: string, offset: number, bytes: Buffer): void {
    for (const part of encodeChunk({ sha256, offset, bytes })) this.child.stdin?.write(part);
  }

  /** Waits until something holds; false when the agent ended first. */
  async until(holds: () => boolean): Promise<boolean> {
    while (!holds()) {
      if (this.child.exitCode !== null || this.child.signalCode !== null) return holds();
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return true;
  }

  async message<T extends AgentMessage['type']>(type: T): Promise<Of<T>> {
    const find = () => this.messages.find((message): message is Of<T> => message.type === type);
    await this.until(() => find() !== undefined);
    const found = find();
    if (found === undefined) throw new Error(`the agent ended without ${type}`);
    return found;
  }

  /** Takes the hello and opens the session. */
  async open(credit = 1_000_000, heartbeat = 60): Promise<HelloMessage> {
    const hello = await this.message('hello');
    this.send({ type: 'welcome', heartbeat, credit });
    return hello;
  }

  /** Converges; undefined when the agent ended before it answered. */
  async converge(
    run: string,
    plan: RolePlan,
    more: Partial<ConvergeMessage> = {},
  ): Promise<ConvergeResult | undefined> {
    this.#lastId += 1;
    const id = this.#lastId;
    const call = {
      type: 'converge',
      id,
      mode: 'apply',
      run,
      key: 'test/r',
      digest: 'd1',
      plan: { whole: plan },
    };
    this.send({ ...(call as ConvergeMessage), ...more });
    const find = () =>
      this.messages.find((each): each is Of<'converged'> => each.type === 'converged' && each.id === id);
    await this.until(() => find() !== undefined);
    return find()?.result;
  }

  kill(): Promise<number | null> {
    this.child.kill('SIGKILL');
    return this.exited;
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
