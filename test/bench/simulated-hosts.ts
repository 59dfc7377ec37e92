/**
 * Hosts whose agents live in this process: frames and messages are real, and so is all of the reconciler; nothing is done.
 * Invariant: every resource of a plan is reported as changed, one event when it starts and one when it ends, as a real agent does.
 * Never opens a socket.
 */

import type { Facts } from '../../agent/protocol/facts.ts';
import type { AgentEvent, AgentMessage, ReconcilerMessage } from '../../agent/protocol/message.ts';
import type { ResourceReport } from '../../agent/protocol/outcome.ts';
import { applyDelta, type RolePlan } from '../../agent/protocol/plan.ts';
import type { Result } from '../../agent/protocol/problem.ts';
import { type AgentSession, openSession } from '../../reconciler/connection/agent-session.ts';
import type { SessionPool } from '../../reconciler/connection/session.ts';
import { contentAnswers, honestAgent, plainHello } from '../helpers/simulated-agent.ts';

type Converge = Extract<ReconcilerMessage, { type: 'converge' }>;

/** Events that share a frame. */
const eventsPerFrame = 40;

export class SimulatedHosts implements SessionPool {
  readonly #sessions = new Map<string, Promise<Result<AgentSession>>>();
  readonly #facts: (host: string) => Facts;
  readonly #open: AgentSession[] = [];
  /** Reports sent so far. */
  reported = 0;

  constructor(facts: (host: string) => Facts) {
    this.#facts = facts;
  }

  open({ host }: { readonly host: string }): Promise<Result<AgentSession>> {
    const known = this.#sessions.get(host);
    if (known !== undefined) return known;
    const opening = this.#start(host);
    this.#sessions.set(host, opening);
    return opening;
  }

  sessions(): readonly AgentSession[] {
    return this.#open;
  }

  onLost(): void {}

  async close(reason: string): Promise<void> {
    await Promise.all(this.#open.map((session) => session.close(reason)));
  }

  async #start(host: string): Promise<Result<AgentSession>> {
    const plans = new Map<string, RolePlan>();
    const agent = honestAgent(
      (message) => (message.type === 'converge' ? this.#converge(message, plans) : contentAnswers(message)),
      plainHello({ facts: this.#facts(host) }),
    );
    const session = await openSession(host, agent.started);
    if (session.ok) this.#open.push(session.value);
    return session;
  }

  #converge(message: Converge, plans: Map<string, RolePlan>): readonly AgentMessage[] {
    const { id, key, digest, run, mode } = message;
    const plan = planOf(message, plans.get(key));
    plans.set(key, plan);
    const reports = plan.resources.map((resource): ResourceReport => {
      const changes = [{ action: 'update' as const, property: 'content', from: '10 bytes', to: '20 bytes' }];
      return { resource: resource.id, outcome: 'changed', changes, milliseconds: 1 };
    });
    this.reported += reports.length;
    const outcomes = { unchanged: 0, changed: reports.length, failed: 0, skipped: 0, unknown: 0 };
    const said = { complete: true, ok: true, outcomes, milliseconds: 1 };
    const result = { key, digest, run, mode, ...said, reports };
    return [...eventFrames(id, reports), { type: 'converged', id, result }];
  }
}

function planOf({ plan }: Converge, held: RolePlan | undefined): RolePlan {
  if ('whole' in plan) return plan.whole as RolePlan;
  if (held === undefined) throw new Error('a plan is said to be held that is not');
  return 'delta' in plan ? applyDelta(held, plan.delta) : held;
}

function eventFrames(id: number, reports: readonly ResourceReport[]): AgentMessage[] {
  const events = reports.flatMap((report): AgentEvent[] => [
    { event: 'started', resource: report.resource },
    { event: 'finished', report },
  ]);
  const frames: AgentMessage[] = [];
  for (let first = 0; first < events.length; first += eventsPerFrame)
    frames.push({ type: 'events', id, events: events.slice(first, first + eventsPerFrame) });
  return frames;
}
