/**
 * Agents that never stop: each is dropped when its budget is used up, and until then what waits for it stays small.
 * Invariant: the real session over streams in memory; bytes are counted, not measured.
 * Never longer than the budget lasts.
 */

import { randomBytes } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { deflateRawSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { chunkSize } from '../../../agent/protocol/blob.ts';
import {
  encodeFrame,
  encodeStream,
  FrameDecoder,
  frameTypes,
  streamWindow,
} from '../../../agent/protocol/frame.ts';
import { planContents } from '../../../agent/protocol/plan.ts';
import { eventWindow } from '../../../reconciler/connection/agent-line.ts';
import {
  type AgentSession,
  openSession,
  sessionDeadlines,
} from '../../../reconciler/connection/agent-session.ts';
import type { ConvergeCall } from '../../../reconciler/connection/session.ts';
import { convergeCall, filePlan, MemoryContents } from '../../helpers/lines.ts';
import { contentAnswers, honestAgent, plainHello, SimulatedAgent } from '../../helpers/simulated-agent.ts';

const deadlines = { ...sessionDeadlines, cancel: 50, close: 50 };
/** One buffer of a stream, and the message that filled it. */
const mostUntaken = 66 * 1024;
const sessions: AgentSession[] = [];

afterEach(async () => {
  await Promise.all(sessions.splice(0).map((session) => session.close('the test is over')));
});

async function open(agent: SimulatedAgent, more: Partial<typeof deadlines> = {}): Promise<AgentSession> {
  agent.say(plainHello());
  const opened = await openSession('bad', agent.started, { ...deadlines, ...more });
  if (!opened.ok) throw new Error(opened.problem.message);
  sessions.push(opened.value);
  return opened.value;
}

const plain = (message: object): Buffer =>
  Buffer.concat(encodeFrame(frameTypes.message, Buffer.from(JSON.stringify(message))));
const deflated = (message: object): Buffer =>
  Buffer.concat(encodeFrame(frameTypes.deflated, deflateRawSync(JSON.stringify(message))));
const output = (length: number) => ({
  event: 'output',
  resource: '',
  stream: 'stdout',
  text: 'x'.repeat(length),
});

/** Pushes the same bytes until the session has ended; how often, and the most that waited for the agent meanwhile. */
async function pushUntilEnd(session: AgentSession, agent: SimulatedAgent, bytes: Buffer) {
  let over = false;
  void session.ended.then(() => {
    over = true;
  });
  let times = 0;
  let untaken = 0;
  for (; !over; times += 1) {
    agent.push(bytes);
    untaken = Math.max(untaken, agent.untaken);
    await turn();
  }
  return { times, untaken };
}

function call(more: Partial<ConvergeCall> = {}, size = 300): ConvergeCall {
  const contents = new MemoryContents();
  return convergeCall(filePlan('web', [contents.add(randomBytes(size))]), contents, more);
}

function contentOf({ plan }: ConvergeCall): { readonly sha256: string; readonly size: number } {
  const [[sha256, size] = ['', 0]] = planContents(plan);
  return { sha256, size };
}

describe('an agent that never stops', () => {
  it('pinging is dropped, and answers to it do not pile up', async () => {
    const agent = new SimulatedAgent({ reads: false });
    const session = await open(agent);
    const batch = Buffer.concat(Array.from({ length: 4000 }, () => plain({ type: 'ping', id: 1 })));
    const { untaken } = await pushUntilEnd(session, agent, batch);
    expect(await session.ended).toMatchObject({ code: 'line.flooded', where: { host: 'bad' } });
    expect(untaken).toBeLessThan(mostUntaken);
  });

  it('printing is dropped by its call’s budget, and credit does not pile up', async () => {
    const agent = new SimulatedAgent({ reads: false });
    const session = await open(agent);
    let characters = 0;
    const onEvents: ConvergeCall['onEvents'] = (events) => {
      for (const event of events) if (event.event === 'output') characters += event.text.length;
    };
    const converging = session.converge(call({ onEvents }));
    const { untaken } = await pushUntilEnd(
      session,
      agent,
      deflated({ type: 'events', id: 1, events: [output(2 ** 22)] }),
    );
    expect(await converging).toMatchObject({ ok: false, problem: { code: 'line.flooded' } });
    expect(characters).toBeLessThanOrEqual(256 * 1024 * 1024);
    expect(untaken).toBeLessThan(mostUntaken);
  });

  it('sending events of a call that has ended is dropped', async () => {
    const agent = new SimulatedAgent();
    const session = await open(agent);
    const late = session.exec({ argv: ['x'], timeout: 0.01, onOutput: () => {} });
    agent.say({ type: 'executed', id: 1, status: 0, signal: null });
    expect(await late).toMatchObject({ ok: true });
    const { times } = await pushUntilEnd(
      session,
      agent,
      deflated({ type: 'events', id: 1, events: [output(2 ** 20)] }),
    );
    expect(times).toBeLessThan(80);
    expect(await session.ended).toMatchObject({ code: 'line.flooded' });
  });

  it('sending small frames that inflate to large ones is dropped by what they inflate to', async () => {
    const agent = new SimulatedAgent();
    const session = await open(agent);
    const bomb = deflated({ type: 'pong', id: 1, nothing: 'x'.repeat(2 ** 23) });
    expect(bomb.length).toBeLessThan(20_000);
    const { times } = await pushUntilEnd(session, agent, bomb);
    expect(times).toBeLessThan(10);
    expect(await session.ended).toMatchObject({ code: 'line.flooded' });
  });

  it('sending a frame without ever ending it is dropped, however alive it is', async () => {
    const agent = new SimulatedAgent();
    const session = await open(agent, { heartbeat: 6 });
    const converging = session.converge(call());
    agent.push(plain({ type: 'ping', id: 1, nothing: 'x'.repeat(10_000_000) }).subarray(0, 50));
    await pushUntilEnd(session, agent, Buffer.from('x'));
    const problem = { code: 'line.silent', message: expect.stringMatching(/no whole message/) };
    expect(await converging).toMatchObject({ ok: false, problem });
  });

  it('asking for the same content is dropped', async () => {
    const agent = new SimulatedAgent();
    const session = await open(agent);
    const asked = call();
    const converging = session.converge(asked);
    const { sha256, size } = contentOf(asked);
    const { times } = await pushUntilEnd(
      session,
      agent,
      plain({ type: 'need', sha256, offset: 0, bytes: size }),
    );
    expect(await converging).toMatchObject({ ok: false, problem: { code: 'blob.refused' } });
    expect(times).toBeLessThan(2000);
  });
});

describe('an agent whose program', () => {
  async function started() {
    const agent = new SimulatedAgent();
    const session = await open(agent);
    const program = await session.start(['sh']);
    if (!program.ok) throw new Error(program.problem.message);
    const piece = (length: number, more = {}) =>
      Buffer.concat(encodeStream({ id: 1, channel: 1, bytes: Buffer.alloc(length), ...more }));
    return { agent, session, program: program.value, piece };
  }

  it.each([
    ['prints more than it was granted', 'line.flooded', { length: streamWindow + 1 }],
    ['prints pieces without any bytes', 'protocol.illegal-state', { length: 0 }],
    ['prints on a stream it does not have', 'protocol.illegal-state', { length: 1, channel: 3 }],
    ['was never started prints', 'protocol.illegal-state', { length: 1, id: 9 }],
  ])('%s is dropped: %s', async (_, code, { length, ...more }) => {
    const { agent, session, program, piece } = await started();
    agent.push(piece(length, more));
    expect(await session.ended).toMatchObject({ code, where: { host: 'bad' } });
    expect(await program.exited).toMatchObject({ problem: { code } });
  });

  it('prints byte by byte what nobody reads is dropped before all of it is here', async () => {
    const { agent, session, piece } = await started();
    const pieces = Buffer.concat(Array.from({ length: 1000 }, () => piece(1)));
    const { times } = await pushUntilEnd(session, agent, pieces);
    expect(await session.ended).toMatchObject({ code: 'line.flooded' });
    expect(times).toBeLessThan(streamWindow / 1000);
  });
});

describe('an agent that', () => {
  it('asks for a large content and reads nothing costs two chunks', async () => {
    const agent = new SimulatedAgent({ reads: false });
    const session = await open(agent);
    const asked = call({}, 20 * chunkSize);
    const converging = session.converge(asked);
    const { sha256, size } = contentOf(asked);
    agent.push(plain({ type: 'need', sha256, offset: 0, bytes: size }));
    for (let count = 0; count < 50; count += 1) await turn();
    expect(agent.untaken).toBeLessThan(2 * chunkSize);
    await session.close('enough');
    expect(await converging).toMatchObject({ ok: false, problem: { code: 'line.closed' } });
  });

  it('sends more events at once than it has credit for is dropped', async () => {
    const agent = new SimulatedAgent();
    const session = await open(agent);
    const converging = session.converge(call());
    agent.push(deflated({ type: 'events', id: 1, events: Array.from({ length: 60_000 }, () => output(1)) }));
    expect(await converging).toMatchObject({ ok: false, problem: { code: 'line.flooded' } });
  });

  it.each([
    ['sends events to a question that has none', { type: 'events', id: 1, events: [output(1)] }],
    ['sends events without any', { type: 'events', id: 1, events: [] }],
    ['answers something else', { type: 'executed', id: 1, status: 0, signal: null }],
  ])('%s is dropped', async (_, message) => {
    const agent = new SimulatedAgent();
    const session = await open(agent);
    const facts = session.facts();
    agent.push(plain(message));
    expect(await facts).toMatchObject({ ok: false, problem: { code: 'protocol.illegal-state' } });
  });

  it('answers with reports of far more resources than the plan has is dropped', async () => {
    const report = { resource: 'r', outcome: 'unchanged' as const, changes: [], milliseconds: 0 };
    const agent = honestAgent((message) =>
      contentAnswers(message).map((said) =>
        said.type === 'converged'
          ? { ...said, result: { ...said.result, reports: Array.from({ length: 100 }, () => report) } }
          : said,
      ),
    );
    const opened = await openSession('bad', agent.started, deadlines);
    if (!opened.ok) throw new Error(opened.problem.message);
    sessions.push(opened.value);
    expect(await opened.value.converge(call())).toMatchObject({
      ok: false,
      problem: { code: 'protocol.bad-message' },
    });
  });

  it('prints a lot in small pieces gets back exactly the credit it used, in few messages', async () => {
    const decoder = new FrameDecoder();
    let credit = 0;
    let grants = 0;
    const agent = new SimulatedAgent({
      heard: (bytes) => {
        for (const { body, type } of decoder.push(bytes)) {
          const said = type === frameTypes.message ? JSON.parse(body.toString()) : {};
          if (said.type !== 'credit') continue;
          credit += said.bytes;
          grants += 1;
        }
      },
    });
    const session = await open(agent);
    const converging = session.converge(call());
    let used = 0;
    for (let count = 1; count < 40; count += 1) {
      const problem = {
        code: 'package.locked',
        disposition: 'retry',
        message: 'ü'.repeat(count * 1000),
        hint: '',
      };
      const events = [output(count), { event: 'retrying', resource: 'é', attempt: 1, problem }, output(0)];
      used += events.reduce((sum, event) => sum + JSON.stringify(event).length, 0);
      agent.push(
        count % 2 === 0
          ? plain({ type: 'events', id: 1, events })
          : deflated({ type: 'events', id: 1, events }),
      );
      await turn();
    }
    expect(used - credit).toBeLessThan(eventWindow / 4);
    const last = { ...output(0), text: 'x'.repeat(eventWindow / 4) };
    agent.push(plain({ type: 'events', id: 1, events: [last] }));
    await turn();
    expect(credit).toBe(used + JSON.stringify(last).length);
    expect(grants).toBeLessThan(6);
    agent.exit({ status: 1, signal: null });
    expect(await converging).toMatchObject({ ok: false, problem: { code: 'line.lost' } });
  });
});
