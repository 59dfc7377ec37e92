/**
 * Who may log in now: so many in all, so many through one bastion, and as many at one server as it bears.
 * Invariant: a place in all is taken last, so that a slow server or bastion keeps nobody else waiting.
 * Never connects.
 */

import type { Problem, Result } from '../../agent/protocol/problem.ts';
import { type LoginEnd, paceAfter, widestPace } from './connect-pace.ts';
import { Gate } from './gate.ts';

/** Names of the server and of the bastion before it, equal exactly when they are the same. */
export interface LoginPlace {
  readonly server: string;
  readonly bastion: string | undefined;
}

export class LoginGates {
  readonly #all: Gate;
  readonly #perBastion: number;
  readonly #servers = new Map<string, Gate>();
  readonly #bastions = new Map<string, Gate>();

  constructor(all: Gate, perBastion: number) {
    this.#all = all;
    this.#perBastion = perBastion;
  }

  /** Runs one login when its turn has come, and learns from its end how many the server bears. */
  async pass<T>({ server, bastion }: LoginPlace, login: () => Promise<Result<T>>): Promise<Result<T>> {
    const through = (work: () => Promise<Result<T>>): Promise<Result<T>> =>
      bastion === undefined ? work() : passNamed(this.#bastions, bastion, this.#perBastion, work);
    return passNamed(this.#servers, server, widestPace, async (gate) => {
      const ended = await through(() => this.#all.pass(login));
      gate.resize(paceAfter(gate.places, endOf(ended)));
      return ended;
    });
  }
}

/** Passes the gate of this name; a gate that nobody needs and that is as wide as a new one is forgotten. */
async function passNamed<T>(
  gates: Map<string, Gate>,
  name: string,
  places: number,
  work: (gate: Gate) => Promise<T>,
): Promise<T> {
  const gate = gates.get(name) ?? new Gate(places);
  gates.set(name, gate);
  try {
    return await gate.pass(() => work(gate));
  } finally {
    if (gate.isEmpty && gate.places === places) gates.delete(name);
  }
}

function endOf(ended: Result<unknown>): LoginEnd {
  return ended.ok ? 'opened' : isDropped(ended.problem) ? 'dropped' : 'failed';
}

/** Whether the server hung up before it said anything: it has too many logins under way. */
export function isDropped({ code }: Problem): boolean {
  return code === 'ssh.dropped';
}
