import { randomBytes } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { AgentEvent } from '../../../agent/protocol/message.ts';
import type { AgentBundle } from '../../../reconciler/connection/agent-bundle.ts';
import {
  type AgentSession,
  openSession,
  sessionDeadlines,
} from '../../../reconciler/connection/agent-session.ts';
import { startAgent } from '../../../reconciler/connection/bootstrap.ts';
import { localRunner } from '../../../reconciler/connection/local.ts';
import { convergeCall, filePlan, fixtureBundle, localSpec, MemoryContents } from '../../helpers/lines.ts';

let bundle: AgentBundle;
let session: AgentSession;
const deadlines = {
  ...sessionDeadlines,
  heartbeat: 300,
  facts: 2000,
  ping: 500,
  grace: 300,
  cancel: 300,
  close: 500,
};

beforeAll(async () => {
  bundle = await fixtureBundle();
});
afterEach(() => session.close('the test is over'));

/** Ends an agent that was let go of. */
function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

async function open(): Promise<AgentSession> {
  const agent = await startAgent(localRunner, localSpec, { bundle, startDeadline: 10_000 });
  if (!agent.ok) throw new Error(agent.problem.message);
  const opened = await openSession('here', agent.value, deadlines);
  if (!opened.ok) throw new Error(opened.problem.message);
  session = opened.value;
  return session;
}

/** What the fixture agent says it got: the plan's form, inline contents, verified contents. */
async function converge(call: ReturnType<typeof convergeCall>): Promise<string> {
  const result = await session.converge(call);
  return result.ok ? (result.value.reports[0]?.resource ?? '') : result.problem.code;
}

describe('a session with an agent', () => {
  it('sends a plan whole, then nothing, then a delta, and contents only when needed', async () => {
    await open();
    const contents = new MemoryContents();
    const files = [1, 2, 3, 4].map(() => contents.add(randomBytes(2000)));
    const first = filePlan('web', files);
    expect(await converge(convergeCall(first, contents))).toBe('whole inline=4 verified=4');
    expect(await converge(convergeCall(first, contents, { mode: 'check' }))).toBe('held inline=0 verified=4');
    const sent = session.traffic.sent;
    await session.converge(convergeCall(first, contents, { mode: 'check' }));
    expect(session.traffic.sent - sent).toBeLessThan(300);
    const second = filePlan('web', [...files.slice(0, 3), contents.add(Buffer.alloc(0))]);
    const { digest } = convergeCall(first, contents);
    const call = convergeCall(second, contents, { applied: { digest, plan: first } });
    expect(await converge(call)).toBe('delta inline=1 verified=4');
  });

  it('sends the plan again when the agent does not hold it any more', async () => {
    await open();
    const contents = new MemoryContents();
    const plan = filePlan('forgetful', [contents.add(Buffer.from('x'))]);
    expect(await converge(convergeCall(plan, contents))).toBe('whole inline=1 verified=1');
    expect(await converge(convergeCall(plan, contents))).toBe('whole inline=1 verified=1');
  });

  it('lets the agent pull large contents, whole and verified', async () => {
    await open();
    const contents = new MemoryContents();
    const plan = filePlan('web', [contents.add(randomBytes(3_000_001)), contents.add(randomBytes(5))]);
    expect(await converge(convergeCall(plan, contents))).toBe('whole inline=1 verified=2');
    expect(session.traffic.sent).toBeGreaterThan(3_000_000);
  });

  it('refuses contents that are gone, without dropping the line', async () => {
    await open();
    const contents = new MemoryContents();
    const content = contents.add(randomBytes(300_000));
    const result = await session.converge(convergeCall(filePlan('web', [content]), new MemoryContents()));
    expect(result.ok && result.value.problem?.code).toBe('blob.missing');
    expect((await session.ping()).ok).toBe(true);
  });

  it.each([
    ['curious', 'blob.refused'],
    ['greedy', 'blob.refused'],
    ['garbage', 'protocol.frame-too-large'],
    ['oversized', 'protocol.frame-too-large'],
    ['flood', 'line.flooded'],
    ['liar', 'protocol.bad-message'],
    ['generous', 'protocol.illegal-state'],
    ['forward', 'protocol.illegal-state'],
    ['inventive', 'protocol.illegal-state'],
    ['repeating', 'protocol.illegal-state'],
    ['frozen', 'line.silent'],
  ])('drops an agent that is %s: %s', async (role, code) => {
    await open();
    await session.facts();
    const contents = new MemoryContents();
    expect(await converge(convergeCall(filePlan(role, [contents.add(randomBytes(400_000))]), contents))).toBe(
      code,
    );
    expect(await session.ended).toMatchObject({ code, where: { host: 'here' } });
    end(session.hello.pid);
    expect(await session.ping()).toMatchObject({ ok: false, problem: { code } });
  });

  it('tells how an agent died, with its last words, to every call that waits', async () => {
    await open();
    const converging = session.converge(convergeCall(filePlan('dies', []), new MemoryContents()));
    const waiting = session.exec({ argv: ['true'], timeout: 60, onOutput: () => {} });
    const result = await converging;
    const lost = { ok: false, problem: { code: 'line.lost', lines: ['last words of the agent'] } };
    expect(result).toMatchObject(lost);
    expect(await waiting).toMatchObject(lost);
    expect((await session.ended)?.message).toMatch(/SIGKILL.*memory/);
  });

  it('passes on why an agent ended by itself', async () => {
    await open();
    const result = await session.converge(convergeCall(filePlan('farewell', []), new MemoryContents()));
    const problem = {
      code: 'line.lost',
      message: 'the agent ended: it had enough',
      cause: { code: 'agent.link-lost' },
    };
    expect(result).toMatchObject({ ok: false, problem });
  });

  it('streams events and output as they come', async () => {
    await open();
    const events: AgentEvent[] = [];
    const plan = filePlan('web', []);
    await session.converge(
      convergeCall(plan, new MemoryContents(), { onEvents: (news) => events.push(...news) }),
    );
    expect(events).toMatchObject([{ event: 'finished', report: { outcome: 'unchanged' } }]);
    const output: string[] = [];
    const ran = await session.exec({
      argv: ['uname', '-a'],
      stdin: 'x',
      timeout: 5,
      onOutput: (stream, text) => output.push(`${stream} ${text}`),
    });
    expect(ran).toEqual({ ok: true, value: { status: 0, signal: null } });
    expect(output).toEqual(['stdout uname -a']);
  });

  it('asks for facts and measures the round trip', async () => {
    await open();
    expect(await session.facts()).toMatchObject({ ok: true, value: { problems: [] } });
    const ping = await session.ping();
    expect(ping.ok && ping.value).toBeGreaterThan(0);
    session.recorded(['run-1']);
    expect(session.hello.agent).toBe(bundle.sha256);
  });

  it('cancels a call, and gives up on one that does not answer in its time', async () => {
    await open();
    const abort = new AbortController();
    const cancelled = session.exec({ argv: ['hang'], timeout: 60, onOutput: () => {} }, abort.signal);
    abort.abort();
    expect(await cancelled).toMatchObject({ ok: true, value: { signal: 'SIGTERM' } });
    const late = await session.exec({ argv: ['hang'], timeout: 0.1, onOutput: () => {} });
    expect(late).toMatchObject({
      ok: false,
      problem: { code: 'line.call-timeout', where: { host: 'here' } },
    });
    const never = await session.converge(
      convergeCall(filePlan('web', []), new MemoryContents()),
      abort.signal,
    );
    expect(never).toMatchObject({ ok: false, problem: { code: 'line.cancelled' } });
  });

  it('gives a cancelled converge that never answers only a moment', async () => {
    await open();
    const abort = new AbortController();
    const call = convergeCall(filePlan('quiet', []), new MemoryContents());
    const waiting = session.converge(call, abort.signal);
    abort.abort();
    const ended = await waiting;
    expect(ended.ok ? '' : ended.problem.code).toMatch(/line.cancelled|protocol.illegal-state/);
  });

  it('stays open over many quiet heartbeats', async () => {
    await open();
    await new Promise((resolve) => setTimeout(resolve, 1200));
    expect((await session.ping()).ok).toBe(true);
  });

  it('closes without a problem, and calls afterwards say so', async () => {
    await open();
    const waiting = session.exec({ argv: ['hang'], timeout: 60, onOutput: () => {} });
    await session.close('done');
    expect(await session.ended).toBeUndefined();
    expect(await waiting).toMatchObject({ ok: false, problem: { code: 'line.closed' } });
    expect(await session.ping()).toMatchObject({ ok: false, problem: { code: 'line.closed' } });
    session.recorded(['run-1']);
  });

  it('refuses an agent of another protocol version', async () => {
    await open();
    process.env.FIXTURE_PROTOCOL = '99';
    try {
      const agent = await startAgent(localRunner, localSpec, { bundle, startDeadline: 10_000 });
      const opened = agent.ok && (await openSession('here', agent.value, deadlines));
      expect(opened).toMatchObject({ ok: false, problem: { code: 'protocol.version-mismatch' } });
    } finally {
      delete process.env.FIXTURE_PROTOCOL;
    }
  });
});
