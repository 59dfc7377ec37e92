import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { Result } from '../../../agent/protocol/problem.ts';
import { type AgentBundle, bundleAgent, packAgent } from '../../../reconciler/connection/agent-bundle.ts';
import { agentRunner } from '../../../reconciler/connection/agent-runner.ts';
import { type AgentSession, openSession, sessionDeadlines } from '../../../reconciler/connection/agent-session.ts';
import { startAgent } from '../../../reconciler/connection/bootstrap.ts';
import type { Runner } from '../../../reconciler/connection/line.ts';
import { localRunner } from '../../../reconciler/connection/local.ts';
import { convergeCall, filePlan, MemoryContents } from '../../helpers/lines.ts';

const folder = mkdtempSync(join(tmpdir(), 'towline-nested-'));
const sessions: AgentSession[] = [];
let made: Promise<AgentBundle> | undefined;

function bundle(): Promise<AgentBundle> {
  made ??= bundleAgent(fileURLToPath(new URL('../../../agent/main.ts', import.meta.url))).then(packAgent);
  return made;
}

/** A runner whose agents have a host directory of their own. */
function placed(runner: Runner, name: string): Runner {
  return {
    start: (command, options) => runner.start(`TOWLINE_HOST_DIR='${join(folder, name)}'; export TOWLINE_HOST_DIR; ${command}`, options),
  };
}

function valueOf<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`${result.problem.code}: ${result.problem.message}\n${result.problem.lines?.join('\n')}`);
  return result.value;
}

async function agent(name: string, runner: Runner, heartbeat = 1000): Promise<AgentSession> {
  const target = { host: name, runtime: process.execPath };
  const started = valueOf(
    await startAgent(placed(runner, name), target, { bundle: await bundle(), startDeadline: 30_000 }),
  );
  const deadlines = { ...sessionDeadlines, heartbeat, close: 3000 };
  const session = valueOf(await openSession(name, started, deadlines));
  sessions.unshift(session);
  return session;
}

afterEach(async () => {
  for (const session of sessions.splice(0)) await session.close('the test is over');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('agents behind agents', () => {
  it('converge at every level, and the agent’s code goes up once', async () => {
    const first = await agent('first', localRunner);
    const second = await agent('second', agentRunner(first));
    const before = first.traffic.sent;
    const third = await agent('third', agentRunner(second));
    expect(first.traffic.sent - before).toBeLessThan(20_000);
    const contents = new MemoryContents();
    const content = contents.add(Buffer.alloc(3_000_000, 'x'));
    const plan = filePlan('files', [content], folder);
    expect(valueOf(await third.converge(convergeCall(plan, contents)))).toMatchObject({ ok: true });
    expect(createHash('sha256').update(readFileSync(join(folder, '0'))).digest('hex')).toBe(content.sha256);
    expect(third.traffic.sent).toBeGreaterThan(3_000_000);
    expect(first.traffic.sent).toBeLessThan(3_200_000);
    expect(existsSync(join(folder, '0'))).toBe(true);
  });
});
