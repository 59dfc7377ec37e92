/**
 * Agents that start agents: what the tests of programs and relays share.
 * Invariant: real agents in processes of their own, each with a host directory of its own; all of them end with the test.
 * Never used outside tests.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Result } from '../../../agent/protocol/problem.ts';
import { type AgentBundle, bundleAgent, packAgent } from '../../../reconciler/connection/agent-bundle.ts';
import {
  type AgentSession,
  openSession,
  sessionDeadlines,
} from '../../../reconciler/connection/agent-session.ts';
import { startAgent } from '../../../reconciler/connection/bootstrap.ts';
import type { Runner } from '../../../reconciler/connection/line.ts';

let made: Promise<AgentBundle> | undefined;

/** The real agent, bundled once. */
export function realBundle(): Promise<AgentBundle> {
  made ??= bundleAgent(fileURLToPath(new URL('../../../agent/main.ts', import.meta.url))).then(packAgent);
  return made;
}

/** What a result holds; throws what went wrong. */
export function unwrapped<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  const { code, message, lines = [] } = result.problem;
  throw new Error([`${code}: ${message}`, ...lines].join('\n'));
}

export class NestedAgents {
  readonly folder = mkdtempSync(join(tmpdir(), 'towline-nested-'));
  readonly #sessions: AgentSession[] = [];

  /** A session with an agent that a runner starts. */
  async start(name: string, runner: Runner, heartbeat = 2000): Promise<AgentSession> {
    const place = `TOWLINE_HOST_DIR='${join(this.folder, name)}'; export TOWLINE_HOST_DIR`;
    const placed: Runner = { start: (command, options) => runner.start(`${place}; ${command}`, options) };
    const started = await startAgent(
      placed,
      { host: name, runtime: process.execPath },
      { bundle: await realBundle(), startDeadline: 60_000 },
    );
    const deadlines = { ...sessionDeadlines, hello: 60_000, heartbeat };
    const session = unwrapped(await openSession(name, unwrapped(started), deadlines));
    this.#sessions.unshift(session);
    return session;
  }

  /** Closes every session, children before their parents. */
  async close(): Promise<void> {
    for (const session of this.#sessions.splice(0)) await session.close('the test is over');
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Waits until something holds. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}
