/**
 * A session in this process: channel, dispatcher and blobs over streams in memory.
 * Invariant: real frames both ways; the host is a temporary directory.
 * Never a timing assertion.
 */

import { existsSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeMessage, encodeMessage } from '../../agent/protocol/codec.ts';
import { encodeChunk, FrameDecoder } from '../../agent/protocol/frame.ts';
import {
  type AgentMessage,
  agentMessageSchema,
  type ConvergeMessage,
  type ReconcilerMessage,
} from '../../agent/protocol/message.ts';
import type { RolePlan } from '../../agent/protocol/plan.ts';
import { agentProblem } from '../../agent/protocol/problem-codes.ts';
import { runSession } from '../../agent/session.ts';
import { ConvergeHost, command, planOf } from './converge-host.ts';

let host: ConvergeHost;
let line: Line;
beforeEach(() => {
  host = new ConvergeHost();
  line = new Line(host);
});
afterEach(async () => {
  line.input.end();
  await line.closed;
  host.remove();
});

/** The far end of a session. */
class Line {
  readonly input = new PassThrough();
  readonly output = new PassThrough();
  readonly messages: AgentMessage[] = [];
  readonly closed: Promise<void>;
  #waiting: (() => void)[] = [];

  constructor(of: ConvergeHost, welcomeWithin?: number) {
    const decoder = new FrameDecoder();
    this.output.on('data', (bytes: Buffer) => {
      for (const frame of decoder.push(bytes)) this.messages.push(decodeMessage(frame, agentMessageSchema));
      for (const resolve of this.#waiting.splice(0)) resolve();
    });
    this.closed = runSession({
      input: this.input,
      output: this.output,
      places: { lock: of.path('agent'), journal: of.path('agent/journal') },
      agent: 'digest',
      pid: 1,
      node: 'v0',
      now: () => performance.now(),
      date: () => new Date().toISOString(),
      ...(welcomeWithin !== undefined && { welcomeWithin }),
    });
  }

  send(message: ReconcilerMessage): void {
    for (const part of encodeMessage(message)) this.input.write(part);
  }

  async message<T extends AgentMessage['type']>(type: T): Promise<Extract<AgentMessage, { type: T }>> {
    for (;;) {
      const found = this.messages.find((each) => each.type === type);
      if (found !== undefined) return found as Extract<AgentMessage, { type: T }>;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async open(heartbeat = 60): Promise<void> {
    await this.message('hello');
    this.send({ type: 'welcome', heartbeat, credit: 1_000_000 });
  }

  converge(plan: RolePlan, inline?: string[]): void {
    const call = {
      type: 'converge',
      id: 1,
      mode: 'apply',
      run: 'r',
      key: 'k',
      digest: 'd',
      plan: { whole: plan },
    };
    this.send({ ...(call as ConvergeMessage), ...(inline && { inline }) });
  }
}

/** Sends a whole content of the host's store. */
function give(sha256: string): void {
  for (const part of encodeChunk({ sha256, offset: 0, bytes: host.store.get(sha256) as Buffer }))
    line.input.write(part);
}

describe('a session', () => {
  it('says hello, converges with inline and pulled contents, and says goodbye', async () => {
    await line.open();
    const small = host.file('small', 'inline');
    const big = host.content(Buffer.alloc(600_000, 'b'));
    const file = { path: host.path('big'), state: 'present' as const, content: big };
    const inline = [...host.store.keys()].filter((sha256) => sha256 !== big.sha256);
    line.converge(planOf([small, { id: 'file:big', kind: 'file', wanted: file, meta: {} }]), inline);
    for (const sha256 of inline) give(sha256);
    await line.message('need');
    const needs = line.messages.filter((each) => each.type === 'need');
    for (const { sha256, offset, bytes } of needs) {
      const content = (host.store.get(sha256) as Buffer).subarray(offset, offset + bytes);
      for (const part of encodeChunk({ sha256, offset, bytes: content })) line.input.write(part);
    }
    expect((await line.message('converged')).result).toMatchObject({ ok: true, outcomes: { changed: 2 } });
    expect(host.read('big').length).toBe(600_000);
    line.send({ type: 'recorded', runs: ['r'] });
    line.send({ type: 'close', reason: 'done' });
    expect(await line.message('goodbye')).toEqual({ type: 'goodbye' });
    await line.closed;
  });

  /** Begins with two files of which only the first one's content is here; gives the content of the second. */
  async function withFirstOfTwo(): Promise<string> {
    await line.open();
    const [first, second] = [host.file('first', 'one'), host.file('second', 'two')];
    const [one = '', two = ''] = [...host.store.keys()];
    line.converge(planOf([first, second]), [one, two]);
    give(one);
    return two;
  }

  it('begins with what is here while later contents are still on their way', async () => {
    const two = await withFirstOfTwo();
    await expect.poll(() => existsSync(host.path('first'))).toBe(true);
    expect(host.read('first').toString()).toBe('one');
    expect(existsSync(host.path('second'))).toBe(false);
    give(two);
    expect((await line.message('converged')).result).toMatchObject({ ok: true, outcomes: { changed: 2 } });
    expect(host.read('second').toString()).toBe('two');
  });

  it('fails a resource whose content is refused', async () => {
    await line.open();
    const content = { ...host.content('x'), size: 300_000 };
    const file = { path: host.path('f'), state: 'present' as const, content };
    line.converge(planOf([{ id: 'file:f', kind: 'file', wanted: file, meta: {} }]));
    const { sha256 } = await line.message('need');
    line.send({ type: 'refuse', sha256, problem: agentProblem('blob.missing', 'not here') });
    expect((await line.message('converged')).result.reports[0]?.problem?.code).toBe('blob.missing');
  });

  it('begins nothing more when it is cancelled while it waits for contents', async () => {
    const two = await withFirstOfTwo();
    await line.message('events');
    line.send({ type: 'cancel', id: 1, reason: 'enough' });
    give(two);
    const { result } = await line.message('converged');
    expect(result).toMatchObject({ complete: false, problem: { code: 'agent.cancelled' } });
    expect(result.reports).toHaveLength(1);
    expect(existsSync(host.path('second'))).toBe(false);
  });

  it('stops a converge that is cancelled at the next resource', async () => {
    await line.open();
    const go = host.path('go');
    line.converge(planOf([command('wait', `while ! test -e ${go}; do sleep 0.01; done`), host.log('next')]));
    await line.message('events');
    line.send({ type: 'cancel', id: 1, reason: 'enough' });
    line.send({ type: 'ping', id: 5 });
    await line.message('pong');
    host.write('go', '');
    expect((await line.message('converged')).result).toMatchObject({
      complete: false,
      problem: { code: 'agent.cancelled', message: 'enough' },
    });
    expect(host.logged()).toEqual([]);
  });

  it('answers an exec with its output, and facts when asked', async () => {
    await line.open();
    line.send({ type: 'exec', id: 1, argv: ['cat'], stdin: 'hello', cwd: host.root, timeout: 20 });
    expect(await line.message('executed')).toEqual({ type: 'executed', id: 1, status: 0, signal: null });
    line.send({ type: 'credit', bytes: 5 });
    line.send({ type: 'facts', id: 2 });
    expect((await line.message('facts')).id).toBe(2);
    const output = line.messages.flatMap((each) => (each.type === 'events' ? each.events : []));
    expect(output).toEqual([{ event: 'output', resource: '', stream: 'stdout', text: 'hello' }]);
  });

  it('says what was wrong with an exec', async () => {
    await line.open();
    line.send({ type: 'exec', id: 1, argv: ['no-such-program'], timeout: 20 });
    expect((await line.message('executed')).problem?.code).toBe('command.not-found');
  });

  it('ends when its hello is never answered', async () => {
    const other = new Line(host, 20);
    expect((await other.message('goodbye')).problem?.code).toBe('agent.link-lost');
    await other.closed;
  });

  it('pings a silent peer and gives it up', async () => {
    await line.open(0.03);
    expect((await line.message('goodbye')).problem?.code).toBe('agent.link-lost');
    expect(line.messages.filter(({ type }) => type === 'ping').length).toBeGreaterThan(0);
    await line.closed;
  });

  it('stays while its peer answers', async () => {
    await line.open(0.3);
    const beat = setInterval(() => line.send({ type: 'pong', id: 0 }), 20);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    clearInterval(beat);
    expect(line.messages.some(({ type }) => type === 'goodbye')).toBe(false);
  });

  it.each([
    ['a message before welcome', 'protocol.illegal-state', () => line.send({ type: 'facts', id: 1 })],
    [
      'bytes that are no frames',
      'protocol.bad-frame',
      () => line.input.write(Buffer.from([0, 0, 0, 2, 9, 9])),
    ],
    ['a message of no known type', 'protocol.bad-message', () => line.send({ type: 'x' } as never)],
  ])('ends at %s', async (_title, code, act) => {
    await line.message('hello');
    act();
    expect((await line.message('goodbye')).problem?.code).toBe(code);
    await line.closed;
  });

  it('ends when its output breaks, or its input', async () => {
    await line.open();
    line.output.destroy(new Error('EPIPE'));
    await line.closed;
    const other = new Line(host);
    await other.message('hello');
    other.input.destroy(new Error('ECONNRESET'));
    await other.closed;
  });
});
